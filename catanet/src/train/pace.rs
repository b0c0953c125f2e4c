//! How far a run is, how fast, and whether its loss is still a number.

use std::mem::take;
use std::time::{Duration, Instant};

use tensor::Tensor;

use super::{Recipe, Run};
use crate::data::Origin;
use crate::error::Result;

/// Losses that wait to be read, at most: each is a buffer of its own on the device.
const MOST: usize = 100;

/// How far a run is.
#[derive(Debug, Clone)]
pub struct Report {
    /// Steps done.
    pub iteration: u64,
    /// The last step's loss.
    pub loss: f32,
    /// The mean loss of the steps since the last report.
    pub mean_loss: f32,
    /// The last step's learning rate.
    pub lr: f64,
    /// Pairs a second since the last report, validation and saving left out.
    pub images_per_second: f64,
    /// Seconds a step since the last report, likewise.
    pub step_seconds: f64,
    /// Of them, those of waiting for images.
    pub data_seconds: f64,
    /// Seconds that states took to be saved since the last report.
    pub saving_seconds: f64,
    /// Bytes that the device holds for this program.
    pub memory: u64,
}

/// What happened since the last report.
pub(super) struct Pace {
    first: u64, // steps done then
    batch: usize,
    since: Instant,
    elsewhere: Duration,
    waited: Duration,
    saving: Duration,
    losses: Vec<Tensor>, // not read yet
    origins: Vec<Vec<Origin>>,
    read: (u64, f32, f32), // losses read since then: how many, their sum, the last
}

impl Pace {
    pub fn new(iteration: u64, batch: usize) -> Pace {
        Pace {
            first: iteration,
            batch,
            since: Instant::now(),
            elsewhere: Duration::ZERO,
            waited: Duration::ZERO,
            saving: Duration::ZERO,
            losses: Vec::new(),
            origins: Vec::new(),
            read: (0, 0.0, 0.0),
        }
    }

    /// A step is done, for whose images the loop waited so long.
    ///
    /// # Errors
    /// Many losses waited to be read, and the device failed or one of them is no number.
    pub fn step(
        &mut self,
        run: &Run,
        recipe: &Recipe,
        loss: Tensor,
        waited: Duration,
        origins: Vec<Origin>,
    ) -> Result<()> {
        self.losses.push(loss);
        self.origins.push(origins);
        self.waited += waited;
        match self.losses.len() >= MOST {
            true => self.read(run, recipe),
            false => Ok(()),
        }
    }

    /// Reads the losses that wait.
    fn read(&mut self, run: &Run, recipe: &Recipe) -> Result<()> {
        let losses = Tensor::to_vecs(&self.losses.iter().collect::<Vec<_>>());
        let (count, sum, last) = &mut self.read;
        for (loss, origins) in losses.map_err(nn::Error::from)?.iter().zip(&self.origins) {
            *count += 1;
            *last = loss[0];
            *sum += *last;
            if !last.is_finite() {
                return Err(run.diverged_at(recipe, self.first + *count, origins));
            }
        }
        self.losses.clear();
        self.origins.clear();
        Ok(())
    }

    /// Time that no step took.
    pub fn pass(&mut self, time: Duration) {
        self.elsewhere += time;
    }

    /// Time in which a state was saved.
    pub fn saved(&mut self, time: Duration) {
        self.saving += time;
        self.elsewhere += time;
    }

    /// Reads the losses, reports, and begins anew.
    ///
    /// # Errors
    /// The device failed, or a loss is no number.
    pub fn report(&mut self, run: &Run, recipe: &Recipe, lr: f64) -> Result<Report> {
        self.read(run, recipe)?;
        let (count, sum, loss) = self.read;
        let taken = self.since.elapsed().saturating_sub(self.elsewhere);
        let steps = count.max(1) as f64;
        let step_seconds = taken.as_secs_f64() / steps;
        let report = Report {
            iteration: run.iteration(),
            loss,
            mean_loss: sum / steps as f32,
            lr,
            images_per_second: self.batch as f64 / step_seconds.max(1e-9),
            step_seconds,
            data_seconds: self.waited.as_secs_f64() / steps,
            saving_seconds: take(&mut self.saving).as_secs_f64(),
            memory: run.net.device().stats().pool_bytes,
        };
        *self = Pace::new(run.iteration(), self.batch);
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CATANet;
    use tensor::Device;

    #[test]
    fn losses_beyond_what_waits_are_read_without_a_report_and_a_bad_one_tells_its_step() {
        let device = Device::open(None).expect("tests need an adapter");
        let recipe = Recipe::small(2, 1000);
        let run = Run::new(CATANet::new(&device, 2, 0), &recipe);
        let mut pace = Pace::new(10, 2);
        let mut step = |loss: f32| {
            let loss = Tensor::new(&device, &[loss], &[1]);
            pace.step(&run, &recipe, loss, Duration::ZERO, Vec::new())?;
            Ok::<_, crate::Error>(pace.losses.len())
        };
        for i in 1..=MOST + 50 {
            let waiting = step(i as f32).expect("a number");
            assert_eq!(waiting, i % MOST);
        }
        let report = pace.report(&run, &recipe, 1e-3).expect("numbers");
        assert_eq!((report.loss, report.mean_loss), (150.0, 75.5));

        let mut pace = Pace::new(10, 2);
        for i in 1..MOST {
            let loss = if i == 70 { f32::NAN } else { 1.0 };
            let loss = Tensor::new(&device, &[loss], &[1]);
            let origins = vec![Origin::Scene(i as u64)];
            let step = pace.step(&run, &recipe, loss, Duration::ZERO, origins);
            step.expect("not read yet");
        }
        let error = pace
            .report(&run, &recipe, 1e-3)
            .expect_err("NaN")
            .to_string();
        assert!(
            error.contains("after 80 iterations") && error.contains("scene 70"),
            "{error}"
        );
    }
}
