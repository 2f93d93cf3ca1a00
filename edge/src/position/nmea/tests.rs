use super::*;
use anyhow::{Context, Result, ensure};

/// 2024-05-06T10:11:12Z.
const TIME: u32 = 1_714_990_272;
/// The system's time while the cases are read, in 2026.
const NOW: u32 = 1_795_000_000;

/// A file, its latitude and longitude, its time.
type Case = (&'static str, Option<(f64, f64)>, Option<u32>);

fn hear(bytes: &[u8]) -> Receiver {
    let (receiver, mut decoder) = (Receiver::default(), Decoder::default());
    bytes.iter().for_each(|&byte| decoder.push(byte, NOW, &receiver));
    receiver
}

fn pulse() -> std::sync::Arc<crate::vitals::Pulse> {
    std::sync::Arc::new(crate::vitals::Vitals::start().watch("the position", std::time::Duration::from_secs(60)))
}

#[test]
fn every_case_says_what_is_right() -> Result<()> {
    let here = Some((48.2085, 16.37));
    let today = Some(NOW - NOW % 86_400 + 36_672);
    let cases: &[Case] = &[
        ("n01_gn", here, Some(TIME)),
        ("n02_talker_BD", here, Some(TIME)),
        ("n02_talker_GA", here, Some(TIME)),
        ("n02_talker_GB", here, Some(TIME)),
        ("n02_talker_GI", here, Some(TIME)),
        ("n02_talker_GL", here, Some(TIME)),
        ("n02_talker_GP", here, Some(TIME)),
        ("n02_talker_GQ", here, Some(TIME)),
        ("n02_talker_II", here, Some(TIME)),
        ("n02_talker_IN", here, Some(TIME)),
        ("n02_talker_QZ", here, Some(TIME)),
        ("n03_status_V", None, None),
        ("n04_A_but_mode_N", None, None),
        ("n05_nmea41_navstatus", here, Some(TIME)),
        ("n05b_nmea41_navstatus_unsafe", here, Some(TIME)),
        ("n06_mode_E_estimated", here, Some(TIME)),
        ("n06b_mode_R_F_rtk", here, Some(TIME)),
        ("n06c_mode_S_simulator", None, None),
        ("n07_no_date", here, today),
        ("n08_date_060180", here, None),
        ("n09_week_rollover_2004", here, Some(TIME)),
        ("n10_leap_second", here, None),
        ("n11_time_no_decimals", here, Some(TIME)),
        ("n11b_time_3_decimals", here, Some(TIME)),
        ("n12_highprec_8_decimals", here, Some(TIME)),
        ("n13_bad_checksum", None, None),
        ("n14_lowercase_checksum", here, Some(TIME + 5)),
        ("n15_no_checksum", None, None),
        ("n16_ubx_before_each_rmc", here, Some(TIME)),
        ("n18_tag_block", here, Some(TIME)),
        ("n19_cr_only", here, Some(TIME)),
        ("n20_gga_only", here, today),
        ("n21_gns_only", here, today),
        ("n22_gll_only", here, today),
        ("n23_zero_zero_status_A", None, None),
        ("n25_two_sentences_glued_no_newline", here, Some(TIME)),
        ("n26_long_speed_course_95chars", here, Some(TIME)),
        ("n27_south_west", Some((-33.866_666_7, -151.2)), Some(TIME)),
        ("n28_lat_lon_empty_A", None, None),
        ("n29_spaces_in_fields", here, Some(TIME)),
        ("n30_longitude_5digits_noleadingzero", here, Some(TIME)),
        ("n31_rmc_extra_dd_date_4digit_year", here, Some(TIME)),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cases/nmea");
    ensure!(fs::read_dir(&folder)?.count() == cases.len());
    let mut wrong = Vec::new();
    for &(name, place, time) in cases {
        let receiver = hear(&fs::read(folder.join(format!("{name}.nmea")))?);
        let fix = receiver.fix();
        let near = |(a, b): (f64, f64), (c, d): (f64, f64)| (a - c).abs() < 2e-7 && (b - d).abs() < 2e-7;
        let agrees = match (fix, place) {
            (Some(fix), Some(place)) => near(fix.position.degrees(), place) && fix.time == time,
            (None, None) => true,
            _ => false,
        };
        if !agrees {
            wrong.push(format!("{name}: {fix:?}, expected {place:?} {time:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn a_device_is_read_to_its_end() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let device = folder.path().join("tty");
    let sentence = "$GNRMC,101112.00,A,4812.5100,N,01622.2000,E,0.05,,060524,,A*7E";
    fs::write(&device, format!("\u{0}noise\r\n{sentence}\r\n$GPGSV\r\n"))?;
    let receiver = Receiver::default();
    read(&device, 9600, &receiver, &pulse())?;
    assert_eq!(receiver.fix().context("no fix")?.time, Some(TIME));
    let error = read(&folder.path().join("absent"), 9600, &receiver, &pulse()).err().context("a device")?;
    assert!(crate::error::chain(&error).contains("absent: No such file"), "{error}");
    Ok(())
}

#[test]
fn a_fix_is_over_when_the_receiver_says_so() {
    let good = b"$GNRMC,101112.00,A,4812.5100,N,01622.2000,E,0.05,,060524,,A*7E\r\n".as_slice();
    let lost = b"$GNRMC,101112.00,V,4812.5100,N,01622.2000,E,0.05,,060524,,A*69\r\n";
    assert!(hear(good).fix().is_some());
    assert!(hear(&[good, lost].concat()).fix().is_none());
}

/// A sentence with its checksum.
fn sentence(body: &str) -> Vec<u8> {
    let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
    format!("${body}*{sum:02X}\r\n").into_bytes()
}

#[test]
fn what_a_receiver_does_not_stand_for_is_no_fix() {
    let good = sentence("GNRMC,101112.00,A,4812.5100,N,01622.2000,E,0.05,,060524,,,A");
    let void = sentence("GNRMC,101112.00,V,4812.5100,N,01622.2000,E,0.05,,060524,,,E");
    let estimated = sentence("GNGGA,101112.00,4812.5100,N,01622.2000,E,6,00,99.9,170.0,M,,M,,");
    let heard = |sentences: &[&Vec<u8>]| {
        let bytes: Vec<u8> = sentences.iter().flat_map(|sentence| sentence.iter().copied()).collect();
        hear(&bytes).fix()
    };
    assert!(heard(&[&estimated]).is_some(), "without a status it stands for itself");
    assert!(heard(&[&void, &estimated]).is_none() && heard(&[&good, &void, &estimated]).is_none());
    assert!(heard(&[&void, &estimated, &good]).is_some() && heard(&[&void, &good, &estimated]).is_some());
    let tokyo = sentence("GPDTM,TOY,,0.0,N,0.0,E,0.0,W84");
    let wgs = sentence("GPDTM,W84,,0.0,N,0.0,E,0.0,W84");
    assert!(heard(&[&tokyo, &good]).is_none() && heard(&[&tokyo, &wgs, &good]).is_some());
    // Neither without satellites, nor with a precision that is none.
    for (satellites, dilution, is_fix) in
        [("00", "0.9", false), ("07", "99.99", false), ("07", "50.0", false), ("07", "49.9", true), ("", "", true)]
    {
        for body in [
            format!("GNGGA,101112.00,4812.5100,N,01622.2000,E,1,{satellites},{dilution},170.0,M,,M,,"),
            format!("GNGNS,101112.00,4812.5100,N,01622.2000,E,AN,{satellites},{dilution},170.0,,,"),
        ] {
            assert_eq!(heard(&[&sentence(&body)]).is_some(), is_fix, "{body}");
        }
    }
    let decimal = sentence("GNRMC,101112.00,A,48.2085,N,16.37,E,0.05,,060524,,,A");
    assert!(heard(&[&decimal]).is_none(), "degrees and minutes are expected");
}

/// A minute of sentences that come at once has waited in a buffer: the vehicle is elsewhere by now.
#[test]
fn a_backlog_is_no_fix() {
    let at = |n: u32| sentence(&format!("GNRMC,1011{n:02}.00,A,4812.5100,N,01622.2000,E,0.05,,060524,,,A"));
    let said = |count| hear(&(0..count).flat_map(at).collect::<Vec<_>>());
    assert!(said(4).fix().is_some(), "some may come together");
    let receiver = said(60);
    assert!(receiver.fix().is_none() && receiver.position(Instant::now()).is_none());
    let lost = receiver.heard().lost.clone().unwrap_or_default();
    assert!(lost.contains("positions have waited"), "{lost}");
}

#[test]
fn a_date_that_is_far_from_the_computers_is_named() {
    let said = |day: &str| {
        let receiver = hear(&sentence(&format!("GNRMC,101112.00,A,4812.5100,N,01622.2000,E,0.05,,{day},,,A")));
        receiver.heard().clock.clone().unwrap_or_default()
    };
    // The computer's clock is in November 2026.
    assert_eq!(said("181126"), "");
    assert_eq!(said("060524"), "its date is 926 days behind the computer's clock: the receiver is believed");
    assert!(said("060527").contains("ahead of"), "{}", said("060527"));
    assert!(said("060180").contains("cannot be right"), "{}", said("060180"));
}
