//! `demo`: a drone over a landscape, its words over a thin link, and the map that shows them.

mod camera;
mod course;
mod error;
mod flight;
mod home;
mod options;
mod outcome;
mod running;
mod terrain;

use anyhow::Result;
use camera::PACE;
use clap::Parser;
use course::Course;
use cssa_terminal::print;
use edge::Control;
use flight::{Flight, landing};
use home::Home;
use options::Options;
use scenes::Landscape;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use terrain::Terrain;

/// Columns and rows of scenes of a landscape at most.
const MAX_SIDE: u32 = 16;

fn main() -> ExitCode {
    cssa_terminal::without_telemetry();
    let (options, control) = (Options::parse(), Control::default());
    let is_well = cssa_terminal::succeeds(options.log, || run(&options, &control));
    if control.left_behind.load(Ordering::Relaxed) {
        // At once: a model's runtime takes itself apart at an exit, also under a thread that is still in it.
        let _gone = std::io::stdout().flush();
        signal_hook::low_level::exit(i32::from(!is_well));
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Flies, and prints the line of numbers.
fn run(options: &Options, control: &Control) -> Result<()> {
    options.keep.as_deref().map_or(Ok(()), home::check)?;
    let time = Duration::from_secs(options.seconds.into());
    let frames = (time - landing(time)).as_secs() / PACE.as_secs();
    // Nothing is written yet: a signal ends the program here as it does any other.
    let (terrain, course) = ground(options, frames as usize)?;
    let stop = stop()?;
    let home = Home::make(options.keep.as_deref())?;
    if let (Some(folder), Some(picture)) = (home.kept(), terrain.picture()) {
        picture.save(folder.join("landscape.png"))?;
        cssa::files::write(&folder.join("landscape.pgw"), Terrain::world_file().as_bytes())?;
    }
    let flight = Flight {
        home: home.path().to_owned(),
        frames: home.frames(),
        time,
        loss: options.loss,
        bandwidth: options.bandwidth,
        port: options.port,
        seed: options.seed,
    };
    let outcome = flight.fly(terrain, course, &stop, control)?;
    if let Some(folder) = home.kept() {
        tracing::info!("{0}: kept; ground map --archive {0}/captions.gpkg shows it again", folder.display());
    }
    print(&outcome.to_string())
}

/// What is flown over, in at most so many frames.
fn ground(options: &Options, most: usize) -> Result<(Terrain, Course)> {
    let Some(image) = &options.image else {
        let columns = ((most as f64).sqrt().ceil() as u32).clamp(1, MAX_SIDE);
        let rows = (most as u32 / columns).clamp(1, MAX_SIDE);
        let mut landscape = Landscape::new(options.seed, columns, rows);
        while landscape.draw_next() {}
        return Ok((Terrain::drawn(landscape.into_image()), Course::over_scenes(columns, rows)));
    };
    let terrain = Terrain::open(image)?;
    let course = Course::over_image(terrain.size(), most);
    let (frames, whole) = (course.frames.len(), course.whole);
    if frames < whole {
        tracing::info!("{}: {frames} of its {whole} frames in this time, --seconds gives more", image.display());
    }
    Ok((terrain, course))
}

/// A flag that the first SIGTERM or SIGINT sets; the second one ends the program at once.
fn stop() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // In this order: the first signal is no second one.
        register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))?;
        register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}
