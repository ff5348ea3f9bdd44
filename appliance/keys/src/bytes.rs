//! Reading fields off the front of foreign bytes, without indices.

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
