//! Fields of fixed width: read off the front of foreign bytes, and written one behind the other.

use zeroize::Zeroizing;

/// Takes the first `N` bytes off `input`; leaves `input` alone when it has fewer.
pub(crate) fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = input.split_first_chunk::<N>()?;
    *input = tail;
    Some(*head)
}

/// Takes the first `length` bytes off `input`; leaves `input` alone when it has fewer.
pub(crate) fn take_slice<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, tail) = input.split_at_checked(length)?;
    *input = tail;
    Some(head)
}

/// Copies `source` to the front of a zeroed array; `None` when it does not fit.
pub(crate) fn padded<const N: usize>(source: &[u8]) -> Option<[u8; N]> {
    let mut array = [0; N];
    array.get_mut(..source.len())?.copy_from_slice(source);
    Some(array)
}

/// What has a width that the compiler knows: a byte, an array, [`Cut`], or a tuple of such. A secret is written from where it is,
/// by reference.
pub(crate) trait Fields {
    /// How many bytes it has.
    const WIDTH: usize;

    /// Writes them to the front of `room`, and leaves it the rest.
    fn put(&self, room: &mut &mut [u8]);
}

impl Fields for u8 {
    const WIDTH: usize = 1;

    fn put(&self, room: &mut &mut [u8]) {
        [*self].put(room);
    }
}

impl<const N: usize> Fields for [u8; N] {
    const WIDTH: usize = N;

    fn put(&self, room: &mut &mut [u8]) {
        // `joined` has made sure that there is room.
        if let Some((place, rest)) = core::mem::take(room).split_first_chunk_mut() {
            *place = *self;
            *room = rest;
        }
    }
}

impl<F: Fields + ?Sized> Fields for &F {
    const WIDTH: usize = F::WIDTH;

    fn put(&self, room: &mut &mut [u8]) {
        (**self).put(room);
    }
}

/// As much of some bytes as `N` have room for, with zeros behind.
pub(crate) struct Cut<'a, const N: usize>(pub(crate) &'a [u8]);

impl<const N: usize> Fields for Cut<'_, N> {
    const WIDTH: usize = N;

    fn put(&self, room: &mut &mut [u8]) {
        if let Some((place, rest)) = core::mem::take(room).split_first_chunk_mut::<N>() {
            let (kept, zeros) = place.split_at_mut(self.0.len().min(N));
            kept.copy_from_slice(self.0.get(..kept.len()).unwrap_or_default());
            zeros.fill(0);
            *room = rest;
        }
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name: Fields),+> Fields for ($($name,)+) {
            const WIDTH: usize = 0 $(+ $name::WIDTH)+;

            #[allow(non_snake_case)]
            fn put(&self, room: &mut &mut [u8]) {
                let ($($name,)+) = self;
                $($name.put(room);)+
            }
        }
    };
}

tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);

/// The fields one behind the other. It does not compile where they are not `N` bytes together.
pub(crate) fn joined<const N: usize, F: Fields>(fields: F) -> Zeroizing<[u8; N]> {
    const { assert!(F::WIDTH == N, "the fields have another width than what they are written to") };
    let mut whole = Zeroizing::new([0; N]);
    fields.put(&mut whole.as_mut_slice());
    whole
}

/// The fields one behind the other, and zeros behind them. It does not compile where they are more than `N` bytes together.
pub(crate) fn joined_padded<const N: usize, F: Fields>(fields: F) -> Zeroizing<[u8; N]> {
    const { assert!(F::WIDTH <= N, "the fields are wider than what they are written to") };
    let mut whole = Zeroizing::new([0; N]);
    fields.put(&mut whole.as_mut_slice());
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_one_behind_the_other() {
        let secret = [1, 2, 3];
        assert_eq!(*joined::<8, _>((&secret, 4_u8, [5, 6], Cut::<2>(&[7, 8, 9]))), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(*joined::<5, _>((Cut::<3>(&[1]), (2_u8, 3_u8))), [1, 0, 0, 2, 3]);
        assert_eq!(*joined_padded::<4, _>((1_u8, Cut::<0>(&[9]), [2])), [1, 2, 0, 0]);
    }
}
