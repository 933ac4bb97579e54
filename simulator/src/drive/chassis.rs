//! Several drives, started together.

use std::ops::Deref;

use super::builder::SimDriveBuilder;
use super::error::SimError;
use super::plant::Plant;
use super::sim_drive::SimDrive;
use crate::limits::CHASSIS;

/// Drives that were started together; they end when it is dropped.
///
/// ```
/// use kinetic_simulator::Chassis;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let chassis = Chassis::of(12).start_blocking()?;
/// assert_eq!(chassis.len(), 12);
/// println!("the third drive serves {}", chassis[2].addr());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Chassis {
    drives: Vec<SimDrive>,
}

/// What a chassis is to be.
#[derive(Debug, Clone)]
#[must_use = "a chassis is started by `start` or `start_blocking`"]
pub struct ChassisBuilder {
    count: usize,
    drive: SimDriveBuilder,
}

impl Chassis {
    /// So many drives in memory, unless it is told otherwise.
    pub fn of(count: usize) -> ChassisBuilder {
        ChassisBuilder {
            count,
            drive: SimDrive::builder(),
        }
    }

    /// The drives, for whoever wants to end some before others.
    #[must_use]
    pub fn into_drives(self) -> Vec<SimDrive> {
        self.drives
    }
}

impl Deref for Chassis {
    type Target = [SimDrive];

    fn deref(&self) -> &[SimDrive] {
        &self.drives
    }
}

impl ChassisBuilder {
    /// What each drive is to be. They get identities of their own, and no image.
    pub fn drive(mut self, drive: SimDriveBuilder) -> Self {
        self.drive = SimDriveBuilder {
            image: None,
            uuid: None,
            ..drive
        };
        self
    }

    /// Starts them; on any runtime.
    pub async fn start(self) -> Result<Chassis, SimError> {
        let plant = Plant::get()?;
        plant.run(self.start_on(plant)).await
    }

    /// Starts them and waits, from code that is not asynchronous.
    pub fn start_blocking(self) -> Result<Chassis, SimError> {
        let plant = Plant::get()?;
        plant.run_blocking(self.start_on(plant))
    }

    async fn start_on(self, plant: &'static Plant) -> Result<Chassis, SimError> {
        if self.count == 0 || self.count > CHASSIS {
            return Err(SimError::Chassis(self.count));
        }
        let start = |_place| tokio::spawn(SimDrive::start(plant, self.drive.clone()));
        let starting: Vec<_> = (0..self.count).map(start).collect();
        let mut drives = Vec::with_capacity(self.count);
        for one in starting {
            drives.push(one.await.unwrap_or(Err(SimError::Ended))?);
        }
        Ok(Chassis { drives })
    }
}
