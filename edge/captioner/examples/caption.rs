//! Captions the images named on the command line with the default bundle:
//! `cargo run --release -p cssa-captioner --example caption -- fixtures/scenes/images/scene_00000.jpg`
#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use cssa::bundle::{Bundle, named_or_default};
use cssa_captioner::{Captioner, Settings};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let bundle = Bundle::read(&named_or_default(None)?)?;
    let mut captioner = Captioner::open(&bundle, &Settings::default())?;
    println!("{}", captioner.at_work());
    for path in std::env::args().skip(1) {
        let caption = captioner.caption(&cssa_image::read(Path::new(&path))?)?;
        println!(
            "{path}: {} (score {:.2}, {:.1} ms)",
            caption.text,
            caption.score,
            caption.encoder.as_secs_f64() * 1e3
        );
    }
    Ok(())
}
