//! Which option of a command would do about what went wrong. The library's errors say what is
//! wrong and what would fit, and know no command lines.

use catanet::Error;

/// The error of a command, with the options to use in its one line.
pub fn with_options(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Error>().and_then(advice) {
        Some(advice) => {
            let text = format!("{error}; {advice}");
            error.context(text)
        }
        None => error,
    }
}

fn advice(error: &Error) -> Option<String> {
    let text = match error {
        Error::NoRun { .. } => "start without --resume, or name the run's folder with --out".into(),
        Error::WrongRun { .. } => {
            "name another folder with --out, or start without --resume".into()
        }
        Error::NotSetAside { .. } => "name another folder with --out".into(),
        Error::SmallPatch { needed, .. } => format!("choose --patch {needed} or more"),
        Error::LargeStep { fits: 0, .. } => "choose a smaller --patch".into(),
        Error::LargeStep { fits, .. } => {
            format!("choose --batch {fits} or less, or a smaller --patch")
        }
        Error::TrainingEnded { source, .. } if matches!(**source, Error::Diverged { .. }) => {
            "go on from there with --resume and a smaller --lr; --on-nan rollback does so by itself"
                .into()
        }
        Error::TrainingEnded { .. } => "--resume goes on from there".into(),
        Error::LockedFolder { .. } => "wait for it, or name another folder with --out".into(),
        Error::UnwritableFolder { .. } => "name another folder with --out".into(),
        Error::WrongScale { found, wanted, .. } => {
            format!("use --scale {found}, or name weights for ×{wanted} with --weights")
        }
        Error::NotFinite { .. } => "name others with --weights".into(),
        _ => return None,
    };
    Some(text)
}
