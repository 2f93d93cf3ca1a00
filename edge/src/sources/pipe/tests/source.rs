//! What the source makes of a command's frames.

use super::*;
use image::DynamicImage;

fn frames_of(source: &mut PipeSource) -> Result<(Vec<Frame>, u64, Vec<String>)> {
    let (mut frames, mut debris, mut lines) = (Vec::new(), 0, Vec::new());
    loop {
        match source.next(&|_: &str| false)? {
            Next::Frame(frame) => frames.push(frame),
            Next::Debris { bytes, said } => {
                debris += bytes;
                lines.extend(said);
            }
            Next::Nothing | Next::Unread(_) | Next::Failed(_) => {}
            Next::End => return Ok((frames, debris, lines)),
        }
    }
}

fn cat(path: &Path) -> PipeSource {
    let command = vec!["cat".to_owned(), path.display().to_string()];
    PipeSource::new(Pipe { command, live: false, restart: false })
}

#[test]
fn what_stands_between_all_frames_is_said_once() -> Result<()> {
    for (name, bytes) in [
        ("s02_zero_padded_uvc.mjpeg", 6366),
        ("s03_multipart_http.mjpeg", 192),
        ("s04_mpf_appended_preview.mjpeg", 5283),
    ] {
        let (frames, debris, lines) = frames_of(&mut cat(&fixtures::cases().join("pipe").join(name)))?;
        assert!(frames.len() == 3 && frames.iter().all(|frame| frame.pixels.is_ok()), "{name}");
        assert_eq!((debris, lines.len()), (bytes, 1), "{name}: {lines:?}");
    }
    Ok(())
}

#[test]
fn sixteen_bits_become_eight_as_in_a_file() -> Result<()> {
    let mut source = cat(&fixtures::cases().join("pipe/s05_ppm_16bit.ppm"));
    let (frames, ..) = frames_of(&mut source)?;
    assert!(source.is_note_said, "what was done to three frames is said");
    let mut fresh = cat(Path::new("none"));
    let said = fresh.noted("frame 1", "more than 8 bits").context("not said")?;
    assert!(said.starts_with("frame 1: more than 8 bits; "), "{said}");
    assert_eq!(fresh.noted("frame 2", "more than 8 bits"), None);
    let bytes = case("s05_ppm_16bit.ppm")?;
    let words = bytes[15..15 + 64 * 64 * 6].chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    let image =
        image::ImageBuffer::from_raw(64, 64, words.collect()).map(DynamicImage::ImageRgb16).context("no image")?;
    assert_eq!(frames[0].pixels, Ok(cssa_image::to_rgb8(image)));
    Ok(())
}

#[test]
fn a_command_that_ends_is_started_again_or_not() -> Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("a.jpg"), jpeg()?)?;
    let command = ["cat".to_owned(), folder.path().join("a.jpg").display().to_string()];
    let pipe = |live, restart| Pipe { command: command.to_vec(), live, restart };
    let mut source = PipeSource::new(pipe(false, false));
    assert!(matches!(source.next(&|_: &str| false)?, Next::Frame(Frame { pixels: Ok(_), .. })));
    assert!(matches!(source.next(&|_: &str| false)?, Next::End));
    // A failure is an end where the command is not started again, and said where it is.
    for (restart, script) in [(false, "exit 3"), (true, "exit 3"), (true, "kill -9 $$")] {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        let mut source = PipeSource::new(Pipe { command, live: false, restart });
        assert_eq!(source.ends_with_an_error(), !restart);
        let said = match source.next(&|_: &str| false) {
            Err(error) if !restart => error,
            Ok(Next::Failed(error)) if restart => error,
            other => anyhow::bail!("{script}: {other:?}"),
        };
        assert!(said.to_string().contains("\"sh\" failed: "), "{said}");
    }
    // One that ends well and gives nothing is no camera, and is asked less and less often.
    let mut source = PipeSource::new(Pipe { command: vec!["true".into()], live: true, restart: true });
    let Next::Failed(error) = source.next(&|_: &str| false)? else { anyhow::bail!("nothing was said") };
    assert_eq!(error.to_string(), "source.command \"true\" ended without a frame");
    assert_eq!(source.pause, 2 * PAUSE);
    (0..20).for_each(|_| source.wait_longer());
    assert_eq!(source.pause, LONGEST_PAUSE);
    let mut source = PipeSource::new(pipe(true, true));
    assert!(matches!(source.next(&|_: &str| false)?, Next::Frame(_)));
    let mut frames = 0;
    for _ in 0..60 {
        match source.next(&|_: &str| false)? {
            Next::Frame(_) => frames += 1,
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
    assert!(frames >= 1, "the camera came back");
    assert!(
        PipeSource::new(Pipe { command: vec!["/no/such/camera".into()], live: true, restart: true })
            .next(&|_: &str| false)
            .is_err()
    );
    Ok(())
}

/// A long comment, a last byte that may begin a header, and junk without an end: the same in pieces of any length.
#[test]
fn pieces_make_no_difference_where_a_header_is_long_or_late() -> Result<()> {
    let frame = |last: &[u8]| [b"P5\n40 10\n255\n".as_slice(), &vec![7; 400 - last.len()], last].concat();
    let comment = format!("P5 # {}\n40 10 255\n", "a".repeat(300));
    let long = [comment.as_bytes(), &[9; 400]].concat();
    for last in [b"P".as_slice(), b"P5", b"P5\n", b"P5\n40 1", b"xP"] {
        found(&[frame(last).as_slice(), b"5\n40 10\n255\n", &[1; 400], &frame(b"")].concat())?;
        found(&[frame(last), long.clone(), frame(b"")].concat())?;
    }
    let cut = [b"P5\n90 90\n255\n".as_slice(), &[7; 50], &long, &frame(b"")].concat();
    found(&cut)?;
    let jpeg = jpeg()?;
    found(&[&jpeg[..20], &[0; 100_000], &jpeg].concat())?;
    Ok(())
}
