//! What a stream's bytes are.

mod source;

use super::input::CHUNK;
use super::*;
use anyhow::{Context, Result, ensure};
use image::RgbImage;
use proptest::prelude::*;
use std::io::Read;
use std::path::Path;

/// Gives a few bytes at a time.
struct Dripping<'a>(&'a [u8], usize);

impl Read for Dripping<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(into.len());
        (&mut self.0).take(length as u64).read(into)
    }
}

/// What a stream holds: frames by a short name, bursts of debris by their bytes.
fn all(bytes: &[u8], chunk: usize) -> Result<Vec<String>> {
    let mut reader = FrameReader::new(Dripping(bytes, chunk));
    let mut found = Vec::new();
    while let Some(event) = reader.next()? {
        found.push(match event {
            Event::Frame(Raw::Jpeg(bytes)) => format!("jpeg {}", bytes.len()),
            Event::Frame(Raw::Picture(picture)) => format!("{}×{}", picture.width(), picture.height()),
            Event::Frame(Raw::Damaged(problem)) => format!("damaged: {problem}"),
            Event::Debris(Debris { noise, between, preview, .. }) => {
                format!("{noise} noise, {between} between{}", if preview.is_some() { ", preview" } else { "" })
            }
        });
    }
    Ok(found)
}

/// The same, whatever pieces the stream comes in.
fn found(bytes: &[u8]) -> Result<Vec<String>> {
    let found = all(bytes, 1 << 20)?;
    for chunk in [1, 7, 1000] {
        ensure!(all(bytes, chunk)? == found, "{found:?} in pieces of {chunk}: {:?}", all(bytes, chunk)?);
    }
    Ok(found)
}

fn case(name: &str) -> Result<Vec<u8>> {
    let path = fixtures::cases().join("pipe").join(name);
    std::fs::read(&path).with_context(|| path.display().to_string())
}

fn jpeg_of(width: u32, height: u32) -> Result<Vec<u8>> {
    let image = RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 4) as u8, (y * 4) as u8, (x ^ y) as u8]));
    let mut bytes = Vec::new();
    image.write_with_encoder(image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90))?;
    Ok(bytes)
}

fn jpeg() -> Result<Vec<u8>> {
    jpeg_of(64, 48)
}

/// A segment behind the start of a JPEG.
fn with_segment(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, marker], &length, payload, &jpeg[2..]].concat()
}

#[test]
fn streams_of_the_world_give_each_frame_once() -> Result<()> {
    let cut = "damaged: a JPEG that is cut off by the next";
    let cases: [(&str, &[&str]); 14] = [
        ("s00_three_frames.mjpeg", &["jpeg 9568", "jpeg 8705", "jpeg 8129"]),
        ("s01_no_dht_uvc.mjpeg", &["jpeg 9136", "jpeg 8273", "jpeg 7697"]),
        (
            "s02_zero_padded_uvc.mjpeg",
            &[
                "jpeg 9568",
                "0 noise, 2720 between",
                "jpeg 8705",
                "0 noise, 3583 between",
                "jpeg 8129",
                "0 noise, 63 between",
            ],
        ),
        (
            "s03_multipart_http.mjpeg",
            &[
                "0 noise, 64 between",
                "jpeg 9568",
                "0 noise, 64 between",
                "jpeg 8705",
                "0 noise, 64 between",
                "jpeg 8129",
            ],
        ),
        (
            "s04_mpf_appended_preview.mjpeg",
            &[
                "jpeg 9568",
                "0 noise, 1764 between, preview",
                "jpeg 8705",
                "0 noise, 1972 between, preview",
                "jpeg 8129",
                "0 noise, 1547 between, preview",
            ],
        ),
        ("s05_ppm_16bit.ppm", &["64×64", "64×64", "64×64"]),
        ("s07_ppm_changing_size.ppm", &[]),
        ("s08_ppm_first_frame_cut.ppm", &["damaged: a PPM that is cut off by the next", "64×64", "64×64", "64×64"]),
        ("s10_extraneous_bytes_between_segments.mjpeg", &["jpeg 9570", "jpeg 8707", "jpeg 8131"]),
        ("s11_restart_markers.mjpeg", &["jpeg 9711", "jpeg 8848", "jpeg 8218"]),
        ("s12_second_frame_cut_by_third.mjpeg", &["jpeg 9568", cut, "jpeg 8129"]),
        ("s13_cut_inside_header_segment.mjpeg", &["jpeg 9568", cut, "jpeg 8129", "jpeg 9568", "jpeg 8705"]),
        ("s14_ppm_comment_crlf.ppm", &["64×64"]),
        ("s15_pam_p7.pam", &["64×64"]),
    ];
    for (name, expected) in cases {
        let found = found(&case(name)?)?;
        if expected.is_empty() {
            ensure!(found.iter().all(|frame| frame.contains('×')) && found.len() == 3, "{name}: {found:?}");
        } else {
            ensure!(found == expected, "{name}: {found:?}, expected {expected:?}");
        }
    }
    Ok(())
}

#[test]
fn a_sixteen_bit_frame_of_a_camera_is_one_frame() -> Result<()> {
    let words =
        (0..640 * 480 * 3u32).flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 16 & 0xFFFF).to_be_bytes()[2..].to_vec());
    let frame = [b"P6\n640 480\n65535\n".as_slice(), &words.collect::<Vec<u8>>()].concat();
    assert_eq!(all(&[frame.as_slice(), &frame].concat(), 65_536)?, ["640×480", "640×480"]);
    Ok(())
}

#[test]
fn frames_are_found_again_after_damage() -> Result<()> {
    let jpeg = jpeg()?;
    let whole = format!("jpeg {}", jpeg.len());
    let whole = whole.as_str();
    let ppm = b"P6 # a comment\n2 1\n255\n\x01\x02\x03\x04\x05\x06".as_slice();
    let cut = &jpeg[..jpeg.len() - 9];
    let found = found(&[&jpeg, ppm, b"noise", cut, &jpeg, b"P6 99999 1 255\n", &jpeg].concat())?;
    let refused = "damaged: a PPM of 99999 × 1 pixels";
    assert_eq!(found[..5], [whole, "2×1", "5 noise, 0 between", "damaged: a JPEG that is cut off by the next", whole]);
    assert!(found[5].starts_with(refused) && found[6..] == [whole], "{found:?}");
    Ok(())
}

#[test]
fn debris_is_one_burst_between_frames() -> Result<()> {
    let jpeg = jpeg()?;
    let whole = format!("jpeg {}", jpeg.len());
    let whole = whole.as_str();
    // Every byte value, many times, with what looks like beginnings.
    let noise: Vec<u8> = (0..50_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let noise = [b"x".as_slice(), &noise, b"P6\xff\xd8\xff--\xffP5x", &noise].concat();
    let bytes = [&jpeg, noise.as_slice(), &jpeg, &noise].concat();
    let burst = format!("{} noise, 0 between", noise.len());
    assert_eq!(all(&bytes, 4096)?, [whole, burst.as_str(), whole, &burst]);
    Ok(())
}

#[test]
fn a_burst_without_an_end_is_counted_while_it_lasts() -> Result<()> {
    let mut reader = FrameReader::new(std::io::repeat(7));
    for n in 0..3 {
        let Some(Event::Debris(debris)) = reader.next()? else { anyhow::bail!("no debris") };
        assert!(debris.noise >= 1 << 20 && debris.goes_on == (n > 0));
    }
    Ok(())
}

#[test]
fn parts_of_http_end_where_their_length_says() -> Result<()> {
    let jpeg = jpeg()?;
    let part = |kind: &str, length: usize, body: &[u8]| {
        let header = format!("--frame\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
        [header.as_bytes(), body, b"\r\n"].concat()
    };
    let image = |body: &[u8]| part("image/jpeg", body.len(), body);
    let frames = |bytes: &[u8]| -> Result<Vec<String>> {
        Ok(found(bytes)?.into_iter().filter(|found| !found.starts_with("0 noise")).collect())
    };
    let whole = format!("jpeg {}", jpeg.len());
    let whole = whole.as_str();
    let answer = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n";
    let padded = [jpeg.as_slice(), &[0; 500]].concat();
    let noise = part("application/json", 12, b"{\"P6 1 1 1\xff\xd8");
    let end = b"--frame--\r\n";
    let bytes = [answer.as_slice(), &image(&jpeg), &noise, &image(&padded), &image(&jpeg), end].concat();
    assert_eq!(frames(&bytes)?, [whole, whole, whole]);
    // One without an end marker ends with its part; what the decoder says of it is another matter.
    let open = &jpeg[..jpeg.len() - 2];
    let bytes = [image(open), image(&jpeg)].concat();
    assert_eq!(frames(&bytes)?, [format!("jpeg {}", open.len()).as_str(), whole]);
    // Lengths that are wrong.
    for length in [jpeg.len() - 20, jpeg.len() + 30, 9, 1 << 40] {
        let bytes = [part("image/jpeg", length, &jpeg), part("image/jpeg", length, &jpeg)].concat();
        assert_eq!(frames(&bytes)?, [whole, whole], "{length}");
    }
    // Without one.
    let bare = [b"--frame\r\nContent-Type: image/jpeg\r\n\r\n".as_slice(), &jpeg, b"\r\n"].concat();
    assert_eq!(frames(&[bare.as_slice(), &bare].concat())?, [whole, whole]);
    Ok(())
}

#[test]
fn previews_belong_to_the_frame_before_them() -> Result<()> {
    let (large, half, small) = (jpeg_of(256, 192)?, jpeg_of(128, 96)?, jpeg_of(64, 48)?);
    let other = jpeg_of(64, 60)?;
    let name = |jpeg: &Vec<u8>| format!("jpeg {}", jpeg.len());
    let frames = |bytes: &[u8]| -> Result<Vec<String>> {
        Ok(found(bytes)?.into_iter().filter(|found| found.starts_with("jpeg")).collect())
    };
    let two = [large.as_slice(), &[0; 40], &half, &small].concat();
    assert_eq!(frames(&[two.as_slice(), &two].concat())?, [name(&large), name(&large)]);
    // A thumbnail in front, as Exif has it.
    let thumbnail = with_segment(&large, 0xE1, &[b"Exif\0\0", small.as_slice()].concat());
    assert_eq!(frames(&[thumbnail.as_slice(), &thumbnail].concat())?, [name(&thumbnail), name(&thumbnail)]);
    // Another camera's frames, and a camera that changes to smaller frames.
    assert_eq!(frames(&[large.as_slice(), &other].concat())?, [name(&large), name(&other)]);
    let smaller = [large.as_slice(), &half, &half, &half].concat();
    assert_eq!(frames(&smaller)?, [name(&large), name(&half), name(&half)]);
    Ok(())
}

/// A JPEG's index of a second picture, of which it says the length and where it begins.
fn indexed(jpeg: &[u8], second: usize) -> Vec<u8> {
    let entries = |offset: u32| {
        let first = [0u32.to_be_bytes(), 0u32.to_be_bytes(), 0u32.to_be_bytes(), [0; 4]].concat();
        let second = [0u32.to_be_bytes(), (second as u32).to_be_bytes(), offset.to_be_bytes(), [0; 4]].concat();
        [first, second].concat()
    };
    let index = |offset: u32| {
        let mut index = b"MPF\0MM\0\x2a\0\0\0\x08\0\x02".to_vec();
        index.extend(b"\xb0\x01\0\x04\0\0\0\x01\0\0\0\x02");
        index.extend(b"\xb0\x02\0\x07\0\0\0\x20\0\0\0\x26\0\0\0\0");
        index.extend(entries(offset));
        index
    };
    let length = with_segment(jpeg, 0xE2, &index(0)).len();
    with_segment(jpeg, 0xE2, &index((length - 10) as u32))
}

#[test]
fn pictures_of_an_index_belong_to_their_frame() -> Result<()> {
    let (large, depth) = (jpeg_of(256, 192)?, jpeg_of(256, 190)?);
    let frame = indexed(&large, depth.len());
    let name = format!("jpeg {}", frame.len());
    let pairs = [frame.as_slice(), &depth, &frame, &depth].concat();
    let frames: Vec<String> = found(&pairs)?.into_iter().filter(|found| found.starts_with("jpeg")).collect();
    assert_eq!(frames, [name.as_str(), &name]);
    // A program in between took the second pictures away and left the index: the next frame is none.
    assert_eq!(found(&[frame.as_slice(), &frame, &frame].concat())?, [name.as_str(), &name, &name]);
    Ok(())
}

#[test]
fn a_frame_cut_off_inside_of_a_segment_does_not_take_the_next_one() -> Result<()> {
    let jpeg = jpeg()?;
    let whole = format!("jpeg {}", jpeg.len());
    let whole = whole.as_str();
    let thumbnail = with_segment(&jpeg, 0xE1, &[b"Exif\0\0", jpeg.as_slice(), &[7; 900]].concat());
    for kept in [8, 200, jpeg.len() + 12, jpeg.len() + 500] {
        let found = found(&[&thumbnail[..kept], &jpeg, &jpeg].concat())?;
        let cut = "damaged: a JPEG that is cut off by the next";
        assert_eq!(found, [cut, whole, whole], "{kept} bytes kept");
    }
    Ok(())
}

/// Wherever in its headers a frame is cut, the next one is whole.
#[test]
fn a_frame_cut_at_any_byte_of_its_headers_is_one_outcome() -> Result<()> {
    let jpeg = jpeg()?;
    let headers = jpeg.windows(2).position(|pair| pair == [0xFF, 0xDA]).context("no scan")? + 8;
    let whole = format!("jpeg {}", jpeg.len());
    for cut in 3..headers {
        let found = found(&[&jpeg, &jpeg[..cut], &jpeg, &jpeg].concat())?;
        let frames = found.iter().filter(|one| **one == whole).count();
        let damaged = found.iter().filter(|one| one.starts_with("damaged") || one.contains("noise")).count();
        ensure!((frames, damaged) == (3, 1), "cut at {cut}: {found:?}");
    }
    Ok(())
}

#[test]
fn netpbm_frames_cut_short_and_refused_ones_have_one_outcome() -> Result<()> {
    let frame = |width: usize, height: usize| {
        let pixels: Vec<u8> = (0..width * height).map(|n| (n * 7 % 251) as u8).collect();
        [format!("P5\n{width} {height}\n255\n").into_bytes(), pixels].concat()
    };
    let (one, other) = (frame(40, 30), frame(50, 20));
    let cut = "damaged: a PGM that is cut off by the next";
    for missing in [2, 3, 9, 14, 15, 700, 1200] {
        let kept = &one[..one.len() - missing];
        assert_eq!(found(&[kept, &one, &one].concat())?, [cut, "40×30", "40×30"], "{missing} bytes missing");
        assert_eq!(found(&[kept, &other].concat())?, [cut, "50×20"], "{missing} bytes missing");
    }
    assert_eq!(found(&[&one, &one[..50]].concat())?, ["40×30", "damaged: a PGM that is cut off: 37 of 1200 bytes"]);
    let wide = [b"P6 20000 10 255\n".as_slice(), &[b'P'; 600_000]].concat();
    let found = all(&[wide.as_slice(), &wide, &one].concat(), 65_536)?;
    assert!(found[0].starts_with("damaged: a PPM of 20000 × 10") && found[2] == found[0], "{found:?}");
    assert_eq!(
        [found[1].as_str(), &found[3], &found[4]],
        ["0 noise, 600000 between", "0 noise, 600000 between", "40×30"]
    );
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_end_and_are_counted_in_few_bursts(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let found = all(&bytes, 100).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let bursts = found.iter().filter(|found| !found.starts_with("damaged") && found.contains("noise")).count();
        prop_assert!(bursts <= found.len() - bursts + 1);
    }

    /// A healthy frame behind damage of any kind is found, and is found once.
    #[test]
    fn a_frame_behind_damage_is_found(cut in 0usize..1300, flip in 0usize..1300, value in any::<u8>()) {
        let whole = jpeg().map_err(|error| TestCaseError::fail(error.to_string()))?;
        let mut damaged = whole[..cut.min(whole.len())].to_vec();
        if let Some(byte) = damaged.get_mut(flip) {
            *byte = value;
        }
        // A length that is wrong reaches over 64 KiB.
        let bytes = [damaged, whole.repeat(60)].concat();
        let found = all(&bytes, 997).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let name = format!("jpeg {}", whole.len());
        prop_assert_eq!(found.last(), Some(&name), "{:?}", found);
    }
    #[test]
    fn every_byte_is_a_frames_or_debris(bytes in proptest::collection::vec(any::<u8>(), 0..3000), frames in 0usize..3) {
        let jpeg = jpeg().map_err(|error| TestCaseError::fail(error.to_string()))?;
        let stream = [bytes.as_slice(), &jpeg.repeat(frames), b"P5 2 1 255\n\x01\x02", &bytes].concat();
        let found = survey(Dripping(&stream, 777)).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(found.frame_bytes + found.debris, stream.len() as u64, "{:?}", found);
        prop_assert!(found.held <= stream.len() + 4 * CHUNK);
    }
}

/// What may begin a frame at every byte takes time in proportion to its length.
#[test]
fn debris_of_beginnings_is_passed_over_quickly() -> Result<()> {
    let patterns = [
        "P",
        "P5 ",
        "P5#",
        "P5 1 ",
        "P7\n",
        "P7\n#",
        "P7\nWIDTH 1\n",
        "--",
        "--a",
        "--a\n",
        "P6 1 1 70000\n",
        "HTTP/",
        "Content-A: b\n",
        "--\r\nContent-Length: 9\r\n\r\n",
        "--\r\nContent-Length: 99999999\r\n\r\n-",
    ];
    let jpegs =
        [&b"\xff\xd8\xff"[..], b"\xff\xd8\xff\xe0", b"\xff\xd8\xff\xe0\xff", b"\xff\xd8\xff\xdb\0\x04ab", b"\xff"];
    for pattern in patterns.map(str::as_bytes).into_iter().chain(jpegs) {
        let stream = pattern.repeat((1 << 20) / pattern.len());
        let began = std::time::Instant::now();
        let found = survey(stream.as_slice())?;
        assert_eq!(found.frame_bytes + found.debris, stream.len() as u64, "{}", pattern.escape_ascii());
        ensure!(began.elapsed() < Duration::from_secs(5), "{}: {:?}", pattern.escape_ascii(), began.elapsed());
    }
    Ok(())
}

/// What may be another frame's beginning inside of a table is one by the bytes that follow it, not by how many of them are at hand.
#[test]
fn a_beginning_inside_of_a_table_waits_for_its_end() -> Result<()> {
    let jpeg = jpeg()?;
    let whole = format!("jpeg {}", with_segment(&jpeg, 0xDB, &[0; 65]).len());
    for (length, behind) in [(0x0010u16, 0u8), (0x0400, 0), (0xFFFF, 0), (0x0010, 0xFF)] {
        let mut table = [0; 65];
        table[20..26].copy_from_slice(&[[0xFF, 0xD8, 0xFF, 0xE0].as_slice(), &length.to_be_bytes()].concat());
        table[40] = behind;
        let bytes = with_segment(&jpeg, 0xDB, &table);
        // Whatever it is: the same in pieces of any length.
        let found = found(&[bytes.as_slice(), &jpeg, &jpeg].concat())?;
        let is_frame = length == 0x0010 && behind == 0;
        assert_eq!(found[0] == whole, is_frame || length == 0x0400, "{length} {behind}: {found:?}");
    }
    Ok(())
}
