//! Captions the images named on the command line with the default bundle:
//! `cargo run --release -p cssa-captioner --example caption -- fixtures/scenes/images/scene_00000.jpg`
#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use cssa::bundle::{Bundle, named_or_default};
use cssa_captioner::{Captioner, Settings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bundle = Bundle::read(&named_or_default(None)?)?;
    let mut captioner = Captioner::open(&bundle, &Settings::default())?;
    for path in std::env::args().skip(1) {
        let caption = captioner.caption(&cssa_image::read(path.as_ref())?)?;
        println!("{path}: {}", caption.text);
    }
    Ok(())
}
