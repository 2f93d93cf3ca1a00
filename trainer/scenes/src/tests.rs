//! Tests of the drawn scenes.

use std::collections::BTreeSet;
use std::fs;
use std::sync::OnceLock;

use super::captions::{count_word, place_of};
use super::picture::Kind;
use super::shape::at;
use super::{Picture, Scene, compose, render, write};

const SCENES: u64 = 150;

/// The scenes that several tests look at, drawn once.
fn sample() -> &'static [(Picture, Scene)] {
    static SAMPLE: OnceLock<Vec<(Picture, Scene)>> = OnceLock::new();
    SAMPLE.get_or_init(|| (0..SCENES).map(|index| compose(11, index)).collect())
}

const COUNTED: [(&str, Kind); 13] = [
    ("airplane", Kind::Airplane),
    ("baseball diamond", Kind::BaseballDiamond),
    ("basketball court", Kind::BasketballCourt),
    ("boat", Kind::Boat),
    ("bridge", Kind::Bridge),
    ("building", Kind::Building),
    ("car", Kind::Car),
    ("house", Kind::House),
    ("pier", Kind::Pier),
    ("pond", Kind::Pond),
    ("runway", Kind::Runway),
    ("storage tank", Kind::Tank),
    ("tennis court", Kind::TennisCourt),
];

/// The count words in a caption that stand right before a noun or before "white noun".
fn counts_of<'a>(caption: &'a str, noun: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (place, _) in caption.match_indices(noun) {
        let tail = &caption[place + noun.len()..];
        let whole = tail.starts_with(' ') || tail.starts_with("s ");
        let mut before = caption[..place].split_whitespace().rev();
        let word = before.find(|word| !["white", "large", "round", "straight", "gray", "blue", "red"].contains(word));
        let known = (1..12).find(|&count| Some(count_word(count)) == word);
        if let (true, Some(word), Some(_)) = (whole, word, known) {
            found.push(word);
        }
    }
    found
}

#[test]
fn equal_seeds_give_equal_scenes() {
    let (first, second) = (render(7, 3), render(7, 3));
    assert_eq!(first.image.as_raw(), second.image.as_raw());
    assert_eq!(first.captions, second.captions);
    assert_ne!(first.image.as_raw(), render(8, 3).image.as_raw());
}

#[test]
fn captions_are_plain_different_and_complete() {
    let mut vocabulary = BTreeSet::new();
    for (_, scene) in sample() {
        let different: BTreeSet<&String> = scene.captions.iter().collect();
        assert_eq!(different.len(), 5, "{}: {:?}", scene.category, scene.captions);
        for caption in &scene.captions {
            let body = caption.strip_suffix(" .");
            let words: Vec<&str> = body.unwrap_or_default().split(' ').collect();
            assert!((6..=20).contains(&words.len()), "{caption}");
            let plain = |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
            assert!(words.iter().all(plain), "{caption}");
            vocabulary.extend(words.iter().map(|word| (*word).to_owned()));
        }
    }
    assert!(vocabulary.len() < 250, "{} words", vocabulary.len());
}

#[test]
fn counts_in_captions_match_the_layout() {
    let mut checked: u64 = 0;
    for (picture, scene) in sample() {
        for caption in &scene.captions {
            for (noun, kind) in COUNTED {
                for word in counts_of(caption, noun) {
                    let scattered = ["house", "car"].contains(&noun) && word == "many";
                    let drawn = picture.centres(kind).len();
                    let expected = if scattered { "many" } else { count_word(drawn) };
                    assert_eq!(word, expected, "{caption}");
                    assert!(drawn > 10 || word != "many", "{caption}");
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 2 * SCENES, "only {checked} counts");
}

#[test]
fn most_captions_state_counts_or_places() {
    let mut stated = 0;
    for (_, scene) in sample() {
        let tells = |caption: &&String| {
            let counted = (1..12).any(|count| caption.split(' ').any(|word| word == count_word(count)));
            counted || ["left", "right", "top", "bottom", "middle"].iter().any(|word| caption.contains(word))
        };
        stated += scene.captions.iter().filter(tells).count();
    }
    assert!(10 * stated > 35 * sample().len(), "only {stated}");
}

#[test]
fn every_category_appears() {
    let categories: BTreeSet<&str> = sample().iter().map(|(_, scene)| scene.category).collect();
    assert_eq!(categories.len(), super::LAYOUTS.len());
}

#[test]
fn places_are_named_by_the_centres() {
    assert_eq!(place_of(&[at(128.0, 128.0)]), Some("in the middle"));
    assert_eq!(place_of(&[at(40.0, 128.0)]), Some("on the left"));
    assert_eq!(place_of(&[at(128.0, 220.0)]), Some("at the bottom"));
    assert_eq!(place_of(&[at(220.0, 30.0)]), Some("in the top right corner"));
    assert_eq!(place_of(&[at(10.0, 128.0), at(246.0, 128.0)]), None);
    assert_eq!(place_of(&[]), None);
}

#[test]
fn drawing_has_not_drifted() {
    let checksum = |index: u64| {
        let scene = render(1, index);
        let fold = |sum: u32, &byte: &u8| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        scene.image.as_raw().iter().fold(0x811c_9dc5, fold)
    };
    let sums: Vec<u32> = (0..4).map(checksum).collect();
    assert_eq!(sums, [2_101_645_815, 2_331_809_365, 1_709_730_205, 3_494_509_370]);
}

#[test]
fn a_dataset_is_written_whole() -> anyhow::Result<()> {
    let root = std::env::temp_dir().join(format!("scenes-test-{}", std::process::id()));
    let out = root.join("data");
    fs::create_dir_all(&root)?;
    assert!(write(&out, 0, 1).is_err());
    assert!(!out.exists());
    write(&out, 11, 1)?;
    let text = fs::read_to_string(out.join("dataset_scenes.json"))?;
    let dataset: serde_json::Value = serde_json::from_str(&text)?;
    let splits: Vec<&str> = (8..11).filter_map(|index| dataset["images"][index]["split"].as_str()).collect();
    assert_eq!(splits, ["val", "test", "train"]);
    assert_eq!(dataset["images"][10]["sentids"][4], 54);
    assert_eq!(dataset["images"][10]["sentences"][4]["sentid"], 54);
    let picture = image::open(out.join("images/scene_00010.jpg"))?;
    assert_eq!((picture.width(), picture.height()), (256, 256));
    let refused = write(&out, 1, 1).err().map(|error| error.to_string());
    assert!(refused.is_some_and(|text| text.contains("data") && text.contains("expected a new or empty folder")));
    let left: Vec<_> = fs::read_dir(&root)?.collect();
    assert_eq!(left.len(), 1);
    fs::remove_dir_all(&root)?;
    Ok(())
}
