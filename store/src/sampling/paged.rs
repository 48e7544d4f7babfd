//! A growing array in pages: it never moves what it holds, and takes no more memory than a page beyond it.

/// Items of a page. A power of two.
const PAGE_ITEMS: usize = if cfg!(test) { 8 } else { 1024 };

/// Items by number, from 0.
#[derive(Debug)]
pub(super) struct Paged<T> {
    pages: Vec<Box<[T]>>,
    make: fn() -> T,
}

impl<T> Paged<T> {
    /// Empty; `make` fills new pages.
    pub(super) fn new(make: fn() -> T) -> Self {
        Self { pages: Vec::new(), make }
    }

    /// Sees to it that there is an item of this number.
    pub(super) fn reach(&mut self, number: u32) {
        while self.pages.len() <= number as usize / PAGE_ITEMS {
            self.pages.push((0..PAGE_ITEMS).map(|_| (self.make)()).collect());
        }
    }

    #[inline]
    pub(super) fn get(&self, number: u32) -> &T {
        &self.pages[number as usize / PAGE_ITEMS][number as usize % PAGE_ITEMS]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> &mut T {
        &mut self.pages[number as usize / PAGE_ITEMS][number as usize % PAGE_ITEMS]
    }

    /// Bytes taken.
    pub(super) fn bytes(&self) -> usize {
        self.pages.len() * PAGE_ITEMS * size_of::<T>()
    }
}
