//! `language-model.bin`.

use super::{FIRST_WORD, LanguageModel, Node, ORDER, build};
use crate::varint::{Reader, VarintError, push_varint};
use alloc::string::String;
use alloc::vec::Vec;

const MAGIC: &[u8] = b"CSSALM\x01";
/// Most n-grams that a file may have.
const MAX_NODES: usize = 4_000_000;

/// Why bytes are no language model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no language model: {problem} at byte {offset}")]
pub struct LanguageModelError {
    problem: &'static str,
    offset: usize,
}

impl From<VarintError> for LanguageModelError {
    fn from(VarintError { problem, offset }: VarintError) -> Self {
        Self { problem, offset }
    }
}

impl LanguageModel {
    /// The bytes of the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.discounts.iter().flatten().flat_map(|discount| discount.to_le_bytes()));
        bytes.extend((self.words.len() as u16).to_le_bytes());
        for word in &self.words {
            bytes.push(word.len() as u8);
            bytes.extend(word.as_bytes());
        }
        if let Some(root) = self.nodes.first() {
            self.write(root, &mut bytes);
        }
        bytes
    }

    fn write(&self, node: &Node, bytes: &mut Vec<u8>) {
        push_varint(bytes, node.children);
        let mut before = None;
        for child in self.children(node) {
            push_varint(bytes, before.map_or(u32::from(child.word), |before| u32::from(child.word - before - 1)));
            push_varint(bytes, child.count);
            self.write(child, bytes);
            before = Some(child.word);
        }
    }

    /// Reads the file; nothing in it is trusted.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LanguageModelError> {
        let mut reader = Reader::new(bytes);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(LanguageModelError { problem: "it does not begin with CSSALM 1", offset: 0 });
        }
        let mut discounts = [[0; 3]; ORDER];
        for discount in discounts.iter_mut().flatten() {
            *discount = reader.u16()?;
        }
        let count = reader.u16()?;
        if count >= u16::MAX - FIRST_WORD {
            return Err(reader.error("too many words").into());
        }
        let mut words = Vec::new();
        for _ in 0..count {
            let length = usize::from(reader.take(1)?[0]);
            let word =
                core::str::from_utf8(reader.take(length)?).map_err(|_| reader.error("a word that is not UTF-8"))?;
            words.push(String::from(word));
        }
        let ids = build::index(&words);
        if ids.len() != words.len() {
            return Err(reader.error("a word that occurs twice").into());
        }
        let mut nodes = alloc::vec![Node::default()];
        read_tree(&mut reader, &mut nodes, 0, ORDER, words.len() as u32 + u32::from(FIRST_WORD))?;
        if !reader.is_at_end() {
            return Err(reader.error("more bytes than n-grams").into());
        }
        Ok(Self { words, ids, discounts, nodes })
    }
}

/// Reads the children of the node at `at`, and theirs: at most `depth` levels.
fn read_tree(
    reader: &mut Reader<'_>,
    nodes: &mut Vec<Node>,
    at: usize,
    depth: usize,
    ids: u32,
) -> Result<(), LanguageModelError> {
    let count = reader.varint()?;
    if count == 0 {
        return Ok(());
    }
    if depth == 0 || count > ids || nodes.len() + count as usize > MAX_NODES {
        return Err(reader.error("more n-grams than there may be").into());
    }
    let first = nodes.len();
    nodes[at].first = first as u32;
    nodes[at].children = count;
    nodes.resize(first + count as usize, Node::default());
    let mut word = None;
    for child in first..first + count as usize {
        let step = reader.varint()?;
        let next = word.map_or(Some(step), |before: u32| before.checked_add(step)?.checked_add(1));
        let next = next.filter(|&next| next < ids).ok_or(reader.error("a word that is not there"))?;
        nodes[child].word = next as u16;
        nodes[child].count = reader.varint()?;
        word = Some(next);
        read_tree(reader, nodes, child, depth - 1, ids)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::small;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_means_the_same() -> Result<(), LanguageModelError> {
        let model = small();
        let bytes = model.to_bytes();
        let again = LanguageModel::from_bytes(&bytes)?;
        assert_eq!(again.to_bytes(), bytes);
        let contexts = |model: &LanguageModel| {
            let before = [model.id("a"), model.id("big")];
            let all: Vec<Vec<_>> = model.contexts(&before).map(|context| context.followers().collect()).collect();
            all
        };
        assert_eq!(contexts(&again), contexts(&model));
        Ok(())
    }

    #[test]
    fn cut_off_files_say_so() {
        let bytes = small().to_bytes();
        for length in 0..bytes.len() {
            assert!(LanguageModel::from_bytes(&bytes[..length]).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_give_an_answer(noise in proptest::collection::vec(any::<(u16, u8)>(), 1..20)) {
            let mut bytes = small().to_bytes();
            for (at, byte) in noise {
                let at = usize::from(at) % bytes.len();
                bytes[at] = byte;
            }
            if let Ok(model) = LanguageModel::from_bytes(&bytes) {
                let before = [3u16, 4, 5];
                let followers: usize = model.contexts(&before).map(|context| context.followers().count()).sum();
                prop_assert!(followers <= 4 * model.ids());
            }
        }
    }
}
