//! Captions: templates filled with facts that are read off the finished layout.

use super::picture::{Kind, Picture};
use super::shape::Point;

/// What the captions of a scene may say.
pub(crate) struct Story {
    pub(crate) category: &'static str,
    /// The kind of object that `{count}` counts, in the singular and in the plural.
    pub(crate) counted: Kind,
    pub(crate) noun: (&'static str, &'static str),
    /// The kind of object that `{place}` locates.
    pub(crate) located: Kind,
    /// Further facts: a placeholder's name and its text.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// Sentences with placeholders in braces; one with an unknown fact is left out.
    pub(crate) templates: &'static [&'static str],
}

const WORDS: [&str; 11] = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/// Sentences that are true of every scene with counted objects, for scenes with little else.
const GENERAL: [&str; 4] = [
    "{count} {noun} can be seen in the picture",
    "the picture shows {count} {noun} from above",
    "there {are} {count} {noun} in the picture",
    "{count} {noun} {are} in this picture from above",
];

/// The word for a count: "many" above ten.
pub(crate) fn count_word(count: usize) -> &'static str {
    WORDS.get(count).copied().unwrap_or("many")
}

/// Where a group of objects lies, or nothing where no plain word is true.
pub(crate) fn place_of(centres: &[Point]) -> Option<&'static str> {
    if centres.is_empty() {
        return None;
    }
    let all = |test: &dyn Fn(&Point) -> bool| centres.iter().all(test);
    let amount = centres.len() as f32;
    let mean_x = centres.iter().map(|point| point.x).sum::<f32>() / amount;
    let mean_y = centres.iter().map(|point| point.y).sum::<f32>() / amount;
    let (across, down) = (mean_x - 128.0, mean_y - 128.0);
    if across.abs() < 28.0 && down.abs() < 28.0 {
        let near = 70.0..186.0;
        let inner = all(&|point| near.contains(&point.x) && near.contains(&point.y));
        return inner.then_some("in the middle");
    }
    let corner = across.abs() >= 42.0 && down.abs() >= 42.0;
    let wide = corner || across.abs() >= down.abs();
    let tall = corner || !wide;
    let left = wide && across < 0.0 && all(&|point| point.x < 122.0);
    let right = wide && across > 0.0 && all(&|point| point.x > 134.0);
    let top = tall && down < 0.0 && all(&|point| point.y < 122.0);
    let bottom = tall && down > 0.0 && all(&|point| point.y > 134.0);
    match (left, right, top, bottom) {
        (true, _, true, _) => Some("in the top left corner"),
        (true, _, _, true) => Some("in the bottom left corner"),
        (_, true, true, _) => Some("in the top right corner"),
        (_, true, _, true) => Some("in the bottom right corner"),
        (true, ..) => Some("on the left"),
        (_, true, ..) => Some("on the right"),
        (_, _, true, _) => Some("at the top"),
        (_, _, _, true) => Some("at the bottom"),
        _ => None,
    }
}

fn fact(picture: &mut Picture, story: &Story, name: &str) -> Option<String> {
    let count = picture.centres(story.counted).len();
    let known = story.facts.iter().find(|(known, _)| *known == name);
    if let Some((_, text)) = known {
        return Some(text.clone());
    }
    let single = |one: &'static str, more: &'static str| Some(if count == 1 { one } else { more });
    let text = match name {
        "count" => (count > 0).then(|| count_word(count)),
        "noun" => single(story.noun.0, story.noun.1),
        "are" => single("is", "are"),
        "them" => single("it", "them"),
        "place" => place_of(&picture.centres(story.located)),
        "near" if !picture.near.is_empty() => Some(picture.random.pick(&picture.near)),
        "extra" => picture.extra,
        "extra_place" => place_of(&picture.centres(Kind::Extra)),
        _ => None,
    };
    text.map(str::to_owned)
}

fn filled(picture: &mut Picture, story: &Story, template: &str) -> Option<String> {
    let mut sentence = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}')?;
        sentence.push_str(before);
        sentence.push_str(&fact(picture, story, name)?);
        rest = tail;
    }
    sentence.push_str(rest);
    sentence.push_str(" .");
    Some(sentence)
}

/// Five different captions, with counts and places before the rest where there are any.
pub(crate) fn captions(picture: &mut Picture, story: &Story) -> [String; 5] {
    let mut templates = story.templates.to_vec();
    picture.random.shuffle(&mut templates);
    let mut ranked: Vec<(&str, String)> = Vec::new();
    for template in templates {
        if let Some(sentence) = filled(picture, story, template)
            && ranked.iter().all(|(_, known)| *known != sentence)
        {
            ranked.push((template, sentence));
        }
    }
    for template in GENERAL {
        if let Some(sentence) = filled(picture, story, template)
            && ranked.len() < 5
        {
            ranked.push((template, sentence));
        }
    }
    let mut chosen: Vec<String> = Vec::new();
    for mark in ["{count}", "{count}", "place}", "place}", "", "", "", "", ""] {
        let wanted = ranked.iter().position(|(template, _)| template.contains(mark));
        if let Some(index) = wanted
            && chosen.len() < 5
        {
            chosen.push(ranked.remove(index).1);
        }
    }
    picture.random.shuffle(&mut chosen);
    let mut sentences = chosen.into_iter();
    std::array::from_fn(|_| sentences.next().unwrap_or_default())
}
