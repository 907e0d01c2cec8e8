//! One thing, usually: a list that allocates only from the second on.

use std::ops::Deref;

/// A list that is never empty.
pub(crate) enum Few<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T> Few<T> {
    /// The list; none when it is empty.
    pub(crate) fn of(mut list: Vec<T>) -> Option<Self> {
        match list.len() {
            0 => None,
            1 => list.pop().map(Self::One),
            _ => Some(Self::Many(list)),
        }
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Few;

    #[test]
    fn a_list_of_few_is_a_list() {
        assert!(Few::<u8>::of(Vec::new()).is_none());
        assert!(matches!(Few::of(vec![1]), Some(Few::One(1))));
        assert_eq!(&Few::of(vec![1, 2]).unwrap()[..], [1, 2]);
        assert_eq!(Few::One(3).first(), Some(&3));
    }
}
