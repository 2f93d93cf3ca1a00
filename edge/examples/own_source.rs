//! Flies frames of a source of one's own, here the quarters of an image, into the flight loop of `edge run`:
//! `cargo run --release -p edge --example own_source -- image.jpg state/ packets.bin`
#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use cssa::bundle::named_or_default;
use edge::config::Config;
use edge::downlink::LinkConfig;
use edge::run::{Own, run_with};
use edge::sources::{Frame, Ledger, Next, Source};
use edge::{Control, Error};
use image::{GenericImageView, RgbImage};

struct Quarters {
    image: RgbImage,
    given: u32,
}

impl Source for Quarters {
    fn next(&mut self, ledger: &dyn Ledger) -> Result<Next, Error> {
        let (width, height) = (self.image.width() / 2, self.image.height() / 2);
        while self.given < 4 {
            let (n, x, y) = (self.given, self.given % 2 * width, self.given / 2 * height);
            self.given += 1;
            // A frame with a key that is settled was captioned before the program began anew.
            let key = format!("quarter-{n}");
            if !ledger.is_settled(&key) {
                let pixels = self.image.view(x, y, width, height).to_image();
                return Ok(Next::Frame(Frame { key: Some(key), ..Frame::new(format!("quarter {n}"), pixels) }));
            }
        }
        Ok(Next::End)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [image, state, packets] = arguments.as_slice() else {
        return Err("image, state folder and packet file".into());
    };
    let config = Config::new(state, LinkConfig::new(&format!("file:{packets}")));
    let source = Quarters { image: cssa_image::read(image.as_ref())?, given: 0 };
    let own = Own { source: Some(Box::new(source)), ..Own::default() };
    let status = run_with(&config, named_or_default(None).ok(), own, &Control::default())?;
    println!("{}", serde_json::to_string(&status)?);
    Ok(())
}
