//! The names of members that a reader knows.

/// An enum of names, and `Other` for all that it does not have. A name is looked at once and then matched as a number;
/// `==` compares it by words, where a pattern of bytes is compared byte by byte.
macro_rules! names {
    ($enum:ident { $($name:ident = $text:literal),+ $(,)? }) => {
        #[derive(Clone, Copy, PartialEq, Eq)]
        enum $enum {
            $($name,)+
            Other,
        }

        impl $enum {
            #[inline]
            fn of(name: &crate::json::Str, bytes: &[u8]) -> Self {
                let name = name.raw(bytes);
                $(
                    if *name == *$text {
                        return Self::$name;
                    }
                )+
                Self::Other
            }
        }
    };
}

pub(crate) use names;
