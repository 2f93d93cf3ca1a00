//! `cssa::metrics` against pycocoevalcap 1.2: recorded tokenizations and scores of made-up captions, and, where the
//! datasets are there, the first caption of each test image against its other four.
#![cfg(feature = "std")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::path::{Path, PathBuf};

use cssa::metrics::{
    CiderScorer, Item, MetricsError, Scores, cider_per_item, deduplicated, score, tokenize, tokenize_lines,
};
use serde_json::Value;

const TOLERANCE: f64 = 1e-6;

const UCM_TEST: Scores = Scores {
    bleu: [0.782_358_524_5, 0.738_665_648_5, 0.700_354_873_1, 0.660_250_123_9],
    rouge_l: 0.695_462_863_8,
    cider: 3.286_814_706_8,
};
const RSICD_TEST: Scores = Scores {
    bleu: [0.897_495_361_8, 0.867_262_363_0, 0.849_891_309_2, 0.838_576_960_5],
    rouge_l: 0.878_825_796_9,
    cider: 3.471_332_565_4,
};

#[test]
fn tokens_equal_the_recorded_ones() {
    let vectors = read_json(&vector_path("tokens.json"));
    for pair in vectors["sentences"].as_array().unwrap() {
        let sentence = pair[0].as_str().unwrap();
        assert_eq!(tokenize(sentence).join(" "), pair[1].as_str().unwrap(), "tokens of {sentence:?}");
    }
}

#[test]
fn the_line_after_decides_about_a_final_letter() {
    let vectors = read_json(&vector_path("tokens.json"));
    let pairs = vectors["consecutive_lines"].as_array().unwrap();
    let lines: Vec<&str> = pairs.iter().map(|pair| pair[0].as_str().unwrap()).collect();
    let tokens: Vec<String> = tokenize_lines(&lines).iter().map(|tokens| tokens.join(" ")).collect();
    let expected: Vec<&str> = pairs.iter().map(|pair| pair[1].as_str().unwrap()).collect();
    assert_eq!(tokens, expected);
}

#[test]
fn scores_equal_the_recorded_ones() {
    for corpus in read_json(&vector_path("corpora.json")).as_array().unwrap() {
        let name = corpus["name"].as_str().unwrap();
        let items: Vec<Item> = corpus["items"].as_array().unwrap().iter().map(item).collect();
        let expected = Scores {
            bleu: std::array::from_fn(|index| corpus["bleu"][index].as_f64().unwrap()),
            rouge_l: corpus["rouge_l"].as_f64().unwrap(),
            cider: corpus["cider"].as_f64().unwrap(),
        };
        assert_close(name, &score(&items).unwrap(), &expected);
        let per_item = cider_per_item(&items).unwrap();
        let expected = corpus["cider_per_item"].as_array().unwrap();
        assert_eq!(per_item.len(), expected.len());
        for (found, expected) in per_item.iter().zip(expected) {
            assert!((found - expected.as_f64().unwrap()).abs() < TOLERANCE, "{name}: {found} != {expected}");
        }
    }
}

#[test]
fn fixed_document_frequencies_give_the_corpus_score() {
    for corpus in read_json(&vector_path("corpora.json")).as_array().unwrap() {
        let items: Vec<Item> = corpus["items"].as_array().unwrap().iter().map(item).collect();
        let references: Vec<Vec<Vec<String>>> =
            items.iter().map(|item| item.references.iter().map(|reference| tokenize(reference)).collect()).collect();
        let scorer = CiderScorer::new(&references);
        for (index, expected) in cider_per_item(&items).unwrap().iter().enumerate() {
            let found = scorer.score(&tokenize(&items[index].hypothesis), &references[index]);
            assert!((found - expected).abs() < TOLERANCE);
        }
    }
}

#[test]
fn what_cannot_be_averaged_is_an_error() {
    assert_eq!(score(&[]), Err(MetricsError::EmptyCorpus));
    let item = |references: &[&str]| Item {
        hypothesis: "a road".to_owned(),
        references: references.iter().map(|&reference| reference.to_owned()).collect(),
    };
    assert_eq!(score(&[item(&["a road"]), item(&[])]), Err(MetricsError::NoReferences { index: 1 }));
}

#[test]
fn deduplication_keeps_images_with_three_distinct_references() {
    let item = |references: &[&str]| Item {
        hypothesis: "a road".to_owned(),
        references: references.iter().map(|&reference| reference.to_owned()).collect(),
    };
    let items = [item(&["a road .", "A road.", "a pond", "a tree", "a pond"]), item(&["a", "b", "b", "b", "a"])];
    assert_eq!(deduplicated(&items), [item(&["a road .", "a pond", "a tree"])]);
}

#[test]
fn the_first_caption_of_real_images_scores_as_recorded() {
    for (name, expected) in [("ucm", UCM_TEST), ("rsicd", RSICD_TEST)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../shared/data/{name}/dataset_{name}.json"));
        if !path.is_file() {
            eprintln!("skipped: {} is not there", path.display());
            continue;
        }
        assert_close(name, &score(&first_against_the_others(&read_json(&path))).unwrap(), &expected);
    }
}

fn first_against_the_others(dataset: &Value) -> Vec<Item> {
    let images = dataset["images"].as_array().unwrap().iter().filter(|image| image["split"] == "test");
    images
        .map(|image| {
            let mut captions = image["sentences"]
                .as_array()
                .unwrap()
                .iter()
                .map(|sentence| sentence["raw"].as_str().unwrap().to_owned());
            Item { hypothesis: captions.next().unwrap(), references: captions.collect() }
        })
        .collect()
}

fn item(value: &Value) -> Item {
    Item {
        hypothesis: value[0].as_str().unwrap().to_owned(),
        references: value[1]
            .as_array()
            .unwrap()
            .iter()
            .map(|reference| reference.as_str().unwrap().to_owned())
            .collect(),
    }
}

fn assert_close(name: &str, found: &Scores, expected: &Scores) {
    let values = |scores: &Scores| [scores.bleu.to_vec(), vec![scores.rouge_l, scores.cider]].concat();
    for (left, right) in values(found).iter().zip(values(expected)) {
        assert!((left - right).abs() < TOLERANCE, "{name}: {found:?} != {expected:?}");
    }
}

fn vector_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/metrics").join(name)
}

fn read_json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}
