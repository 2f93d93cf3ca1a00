//! Some of many, evenly.

use alloc::vec::Vec;

/// At most `most` of the items, spread evenly over all of them, the first among them.
#[must_use]
pub fn spread<T>(items: &[T], most: usize) -> Vec<&T> {
    let count = items.len().min(most);
    (0..count).map(|n| &items[n * items.len() / count]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_there_and_gaps_are_alike() {
        let items: Vec<usize> = (0..10).collect();
        assert_eq!(spread(&items, 4), [&0, &2, &5, &7]);
        assert_eq!(spread(&items, 99).len(), 10);
        assert!(spread(&items, 0).is_empty() && spread::<u8>(&[], 3).is_empty());
    }
}
