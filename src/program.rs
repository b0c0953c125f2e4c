//! The program `catanet`: its commands.

use std::io;
use std::process::ExitCode;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    args, convert_cli, eval_cli, explain_cli, graph_cli, prepare_cli, report, terminal, train_cli,
    upscale_cli,
};

/// What every exit status of the program means.
const EXIT: &str = "\
Exit status: 0 all is done; 1 something failed (the line on stderr says what; of a batch, all else is done); \
2 the command line is wrong; 130, 143, 129 stopped by Ctrl-C, by a request to terminate, by a terminal that went away (what is finished is whole)";

/// CATANet: enlarges pictures ×2, ×3 and ×4; trains and scores the network that does.
#[derive(Parser, Debug)]
#[command(name = "catanet", version, arg_required_else_help = true, after_help = EXIT)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Enlarge pictures: any kind in, the same kind out
    Upscale(upscale_cli::Cli),
    /// Train the network, on photographs or on generated scenes
    Train(train_cli::Cli),
    /// Score the network on benchmark sets
    Eval(eval_cli::Cli),
    /// Show what the network does with a picture, part by part, on one page
    Explain(explain_cli::Cli),
    /// Draw the network's tape: every op with its shape, bytes and time
    Graph(graph_cli::Cli),
    /// Cut training images into sub-images, and store them in databases
    Prepare(prepare_cli::Cli),
    /// Turn weights from one format into another
    Convert(convert_cli::Cli),
    /// List the adapters of this machine
    Adapters,
    /// Print a script that completes command lines in a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// Runs what the command line asks.
pub fn main() -> ExitCode {
    match parse() {
        Ok(program) => run(program.command),
        Err(code) => code,
    }
}

/// The command line, or the exit status of its being wrong or asking for help. Arguments may be names of
/// files with escape codes in them, which an error repeats.
fn parse() -> std::result::Result<Program, ExitCode> {
    Program::try_parse_from(args::command_line()).map_err(|error| {
        let help = matches!(
            error.kind(),
            ErrorKind::DisplayHelp
                | ErrorKind::DisplayVersion
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        );
        if help {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        terminal::err(error.render().to_string().trim_end());
        ExitCode::from(2)
    })
}

fn run(command: Command) -> ExitCode {
    match command {
        Command::Upscale(cli) => upscale_cli::main(&cli),
        Command::Train(cli) => train_cli::run(&cli),
        Command::Eval(cli) => report::exit(eval_cli::run(&cli)),
        Command::Explain(cli) => report::exit(explain_cli::run(&cli)),
        Command::Graph(cli) => report::exit(graph_cli::run(&cli)),
        Command::Prepare(cli) => prepare_cli::main(&cli),
        Command::Convert(cli) => report::exit(convert_cli::run(&cli)),
        Command::Adapters => report::exit(args::list_adapters()),
        Command::Completions { shell } => report::exit(completions(shell)),
    }
}

fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Program::command(), "catanet", &mut script);
    Ok(io::Write::write_all(&mut io::stdout().lock(), &script)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_line_option_is_told_once() {
        Program::command().debug_assert();
    }

    #[test]
    fn a_command_line_of_an_ncnn_upscaler_is_understood() {
        let line = "catanet upscale -i in -o out -s 4 -x -g 0 -f png -j 1:2:2 -t 0 -n realesrgan-x4plus -m models -v";
        Program::try_parse_from(line.split(' ')).expect("understood");
    }
}
