//! Datasets of each layout, and what is wrong with others.

use super::*;

fn folder(files: &[(&str, &str)]) -> Result<tempfile::TempDir, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
        std::fs::write(path, text)?;
    }
    Ok(folder)
}

#[test]
fn datasets_of_the_world_have_all_their_images() -> Result<(), Box<dyn std::error::Error>> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cases/datasets");
    for (name, images) in [
        ("d01_karpathy_filepath_subdirs", 3),
        ("d02_coco_standard_train2017_folder", 2),
        ("d03_json_bom", 1),
        ("d14_filename_leading_dot_slash", 1),
        ("d30_csv_empty_last_lines", 1),
    ] {
        let dataset = Dataset::read(&cases.join(name), DevRule::Hash)?;
        assert_eq!((dataset.images.len(), dataset.missing, dataset.uncaptioned), (images, 0, 0), "{name}");
    }
    let listing = Listing::read(&cases.join("d33_coco_null_caption"), DevRule::Hash)?;
    assert!(listing.entries[0].captions.is_empty() && listing.entries[0].path.is_file());
    assert_eq!(listing.null_captions, 1);
    let error = Dataset::read(&cases.join("d33_coco_null_caption"), DevRule::Hash);
    assert!(error.is_err_and(|error| error.to_string().contains("1 captions are null")));
    Ok(())
}

#[test]
fn siblings_of_these_have_all_their_images() -> Result<(), Box<dyn std::error::Error>> {
    let bom = "\u{feff}";
    let coco = r#"{"images": [{"id": "x1", "file_name": "a.jpg"}, {"id": -2, "file_name": "b.jpg"}], "annotations": [
        {"image_id": "x1", "caption": "a \"NaN\" bridge"}, {"image_id": "x1", "caption": NaN}, {"image_id": -2}]}"#;
    let coco = format!("{bom}{coco}");
    let karpathy = r#"{"images": [
        {"filename": "a.jpg", "filepath": "north", "split": "Train", "sentences": [{"raw": "a bridge ."}]},
        {"filename": "a.jpg", "filepath": "south", "split": "validation", "sentences": [{"tokens": ["a", "river"]}]}]}"#;
    let one = r#"{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 1, "caption": "a"}]}"#;
    // Files with their content, images, and how many captions are left out.
    type Layout<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], usize);
    let layouts: [Layout<'_>; 7] = [
        (
            &[
                ("train2017/1.jpg", ""),
                ("images/val2017/1.jpg", ""),
                ("captions_train2017.json", one),
                ("captions_val2017.json", one),
            ],
            &["train2017/1.jpg", "val2017/1.jpg"],
            0,
        ),
        (&[("images/val/a.jpg", ""), ("val2014/b.jpg", ""), ("captions_val2014.json", &coco)], &["a.jpg"], 1),
        (
            &[("north/a.jpg", ""), ("images/south/a.jpg", ""), ("dataset.json", karpathy), ("._dataset.json", "")],
            &["north/a.jpg", "south/a.jpg"],
            0,
        ),
        (
            &[("images/b/a.jpg", ""), ("a.csv", "path;caption;split\r\n.\\b\\a.jpg;a, b;train\r\n;;\r\n \r\n")],
            &["b/a.jpg"],
            0,
        ),
        (&[("a.jpg", ""), ("a.csv", "path\tcaption\tsplit\na.jpg\ta; b\ttrain\t\t\n\t\t\t\t\n")], &["a.jpg"], 0),
        (&[("images/A.JPG", ""), ("a.csv", "\u{feff}\"path\",caption,split\r\na.jpg,a,train\r\n")], &["a.jpg"], 0),
        (
            &[
                ("./a.jpg", ""),
                ("a.csv", "path,caption,split\n./images/a.jpg,a,train\n"),
                ("back_translations.jsonl", "{\"filename\": \"./a.jpg\", \"back_translations\": [\"b\"]}\n\n"),
            ],
            &["a.jpg"],
            0,
        ),
    ];
    for (files, names, uncaptioned) in layouts {
        let folder = folder(files)?;
        let dataset = Dataset::read(folder.path(), DevRule::Hash)?;
        let found: Vec<&str> = dataset.images.iter().map(|image| image.filename.as_str()).collect();
        assert_eq!((found.as_slice(), dataset.missing, dataset.uncaptioned), (names, 0, uncaptioned), "{files:?}");
        let translated = files.iter().any(|(name, _)| name.starts_with("back"));
        assert_eq!(dataset.images[0].back_translations.len(), usize::from(translated));
    }
    let picture = folder(&[])?;
    let picture = picture.path().join("a.jpg");
    std::fs::write(&picture, [0xff, 0xd8, 0xff, 0xe0])?;
    let error = Dataset::read(&picture, DevRule::Hash).map(|_| ()).map_err(|error| error.to_string());
    assert!(error.as_ref().is_err_and(|error| error.contains("expected a dataset's description")), "{error:?}");
    let short = folder(&[("a.csv", "path,caption,split\na.jpg,a\n")])?;
    let error = Dataset::read(short.path(), DevRule::Hash).map(|_| ()).map_err(|error| error.to_string());
    assert!(error.as_ref().is_err_and(|error| error.contains("line 2: has 2 fields, expected 3")), "{error:?}");
    Ok(())
}

fn shown(dataset: &Dataset) -> Vec<(String, Split, Vec<String>)> {
    dataset.images.iter().map(|i| (i.filename.clone(), i.split, i.captions.clone())).collect()
}

#[test]
fn the_three_layouts_say_the_same() -> Result<(), Box<dyn std::error::Error>> {
    let images = [("images/d.jpg", ""), ("images/b/c.png", "")];
    let karpathy = r#"{"images": [
        {"filename": "d.jpg", "split": "train", "sentences": [{"raw": "one, \"two\" ."}, {"raw": "three ."}]},
        {"filename": "b/c.png", "split": "test", "sentences": [{"raw": "four ."}]}]}"#;
    let train = r#"{"images": [{"id": 7, "file_name": "d.jpg"}],
        "annotations": [{"image_id": 7, "caption": "one, \"two\" ."}, {"image_id": 7, "caption": "three ."}]}"#;
    let test =
        r#"{"images": [{"id": 7, "file_name": "b/c.png"}], "annotations": [{"image_id": 7, "caption": "four ."}]}"#;
    let csv = "path,caption,split\nd.jpg,\"one, \"\"two\"\" .\",train\nb/c.png,four .,test\nd.jpg,three .,train\n";
    let layouts: [&[(&str, &str)]; 3] = [
        &[("dataset.json", karpathy)],
        &[("annotations/captions_train2017.json", train), ("annotations/captions_test.json", test)],
        &[("mine.csv", csv)],
    ];
    let expected: Vec<(String, Split, Vec<String>)> = vec![
        ("d.jpg".into(), Split::Train, vec!["one, \"two\" .".into(), "three .".into()]),
        ("b/c.png".into(), Split::Test, vec!["four .".into()]),
    ];
    for layout in layouts {
        let folder = folder(&[&images, layout].concat())?;
        let mut found = shown(&Dataset::read(folder.path(), DevRule::Hash)?);
        found.sort_by(|a, b| b.0.cmp(&a.0));
        assert_eq!(found, expected);
    }
    Ok(())
}

#[test]
fn a_folder_without_a_description_is_a_plain_one() -> Result<(), Box<dyn std::error::Error>> {
    let plain = folder(&[("a.jpg", ""), ("b/c.png", "")])?;
    assert!(!is_described(plain.path()) && !is_described(&plain.path().join("nowhere")));
    let described = folder(&[("a.jpg", ""), ("mine.csv", "path,caption,split\n")])?;
    assert!(is_described(described.path()) && is_described(&described.path().join("mine.csv")));
    Ok(())
}

#[test]
fn errors_name_the_file_and_the_place() -> Result<(), Box<dyn std::error::Error>> {
    let cases: [(&[(&str, &str)], &str); 7] = [
        (&[], "has no dataset*.json"),
        (&[("dataset.json", "{}")], "dataset.json: is not a Karpathy dataset: missing field `images`"),
        (&[("a.csv", "path,caption\nx,y\n")], "a.csv: has no column split"),
        (&[("a.csv", "path,caption,split\nx,y,trian\n")], "a.csv: line 2: unknown split \"trian\""),
        (&[("a.csv", "path,caption,split\n../x,y,test\n")], "filename \"../x\" leaves the folder"),
        (&[("a.csv", "path,caption,split\nx,y,test\nx,z,val\n")], "a.csv: line 3: image x is in val here and in test"),
        (
            &[("captions_val.json", r#"{"images": [], "annotations": [{"image_id": 3, "caption": "a"}]}"#)],
            "captions_val.json: annotation 0 names image 3, which is not in it",
        ),
    ];
    for (files, expected) in cases {
        let folder = folder(files)?;
        let error =
            Dataset::read(folder.path(), DevRule::Hash).map(|dataset| dataset.images.len()).map_err(|e| e.to_string());
        assert!(error.as_ref().is_err_and(|error| error.contains(expected)), "{error:?} {expected}");
    }
    Ok(())
}

/// What others say of a dataset's images is added to its train images alone, and names are the dataset's.
#[test]
fn further_captions_are_those_of_train_images() -> Result<(), Box<dyn std::error::Error>> {
    let own = r#"{"dataset": "own", "images": [
        {"filename": "a.jpg", "split": "train", "sentences": [{"raw": "a road"}]},
        {"filename": "b.jpg", "split": "test", "sentences": [{"raw": "a river"}]}]}"#;
    let place = folder(&[("images/a.jpg", ""), ("images/b.jpg", ""), ("dataset.json", own)])?;
    let read = || Dataset::read(place.path(), DevRule::None);
    let described = |names: &[&str]| -> Result<Listing, Box<dyn std::error::Error>> {
        let entry = |name: &&str| {
            format!(r#"{{"filename": "{name}", "split": "train", "sentences": [{{"raw": "one"}}, {{"raw": " "}}]}}"#)
        };
        let entries: Vec<String> = names.iter().map(entry).collect();
        let text = format!(r#"{{"dataset": "more", "images": [{}]}}"#, entries.join(","));
        let folder = folder(&[("dataset.json", &text)])?;
        Ok(Listing::read(&folder.path().join("dataset.json"), DevRule::None)?)
    };
    let mut dataset = read()?;
    assert_eq!(dataset.add_further(&described(&["a.jpg", "b.jpg"])?)?, 1);
    let further = [Further { style: "more".into(), caption: "one".into() }];
    assert_eq!((&dataset.images[0].further[..], dataset.images[1].further.len()), (&further[..], 0));
    assert_eq!(dataset.images[0].captions, ["a road"], "references stay as they are");
    let unknown = read()?.add_further(&described(&["c.jpg"])?).map_err(|error| error.to_string());
    assert!(unknown.as_ref().is_err_and(|e| e.contains("c.jpg") && e.contains("own")), "{unknown:?}");
    Ok(())
}
