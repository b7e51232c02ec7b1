//! Which models of several sizes are worth a stack of the largest. Times are in multiply-adds of a model that is trained alone.

use std::cmp::Reverse;

use super::families::Form;

/// A step of a model alone, beside its products.
const ALONE: usize = 65_000;

/// A step of a stack, beside its products.
const STACKED: usize = 150_000;

/// What a multiply-add takes longer in a stack, for each lane: a part of so many.
const SLOWER: usize = 16;

/// Forms, and the products of a step in which all have room.
struct Pile<'f> {
    forms: Vec<&'f Form>,
    products: Vec<[usize; 3]>,
}

fn work(products: &[[usize; 3]]) -> usize {
    products.iter().map(|product| product.iter().product::<usize>()).sum()
}

impl<'f> Pile<'f> {
    fn models(&self) -> usize {
        self.forms.iter().map(|form| form.members.len()).sum()
    }

    /// The products of both.
    fn with(&self, other: &Pile) -> Vec<[usize; 3]> {
        let largest = |(a, b): (&[usize; 3], &[usize; 3])| std::array::from_fn(|axis| a[axis].max(b[axis]));
        self.products.iter().zip(&other.products).map(largest).collect()
    }

    fn add(&mut self, other: Pile<'f>) {
        self.products = self.with(&other);
        self.forms.extend(other.forms);
    }

    /// Takes in those with which its last stack takes least longer, as long as they would take longer alone.
    fn fill(&mut self, left: &mut Vec<Pile<'f>>, width: usize) {
        loop {
            let room = self.models().next_multiple_of(width) - self.models();
            let own = work(&self.products);
            let longer = |other: &Pile| width * (work(&self.with(other)) - own);
            let fit = left.iter().enumerate().filter(|(_, other)| other.models() <= room);
            let best = fit.map(|(place, other)| (longer(other), place)).min();
            let is_worth = |&(longer, place): &(usize, usize)| longer < left[place].alone();
            let Some((_, place)) = best.filter(is_worth) else { return };
            self.add(left.remove(place));
        }
    }

    fn alone(&self) -> usize {
        self.forms.iter().map(|form| form.members.len() * (ALONE + work(&form.products()))).sum()
    }

    /// Whether its models are of one size, or are quicker in stacks.
    fn pays(&self, width: usize) -> bool {
        let step = width * work(&self.products);
        let stacks = self.models().div_ceil(width) * (STACKED + step + step / SLOWER);
        self.forms.iter().all(|form| form.products() == self.products) || stacks < self.alone()
    }
}

/// The forms that are worth stacks of so many lanes together.
pub(super) fn piles(forms: Vec<&Form>, width: usize) -> Vec<Vec<&Form>> {
    let pile = |form| Pile { products: Form::products(form), forms: vec![form] };
    let mut left: Vec<Pile> = forms.into_iter().map(pile).collect();
    left.sort_by_key(|pile| Reverse(work(&pile.products)));
    let mut piles: Vec<Pile> = Vec::new();
    while !left.is_empty() {
        let mut pile = left.remove(0);
        pile.fill(&mut left, width);
        match piles.iter_mut().find(|known| known.products == pile.products) {
            Some(known) => known.add(pile),
            None => piles.push(pile),
        }
    }
    piles.into_iter().filter(|pile| pile.pays(width)).map(|pile| pile.forms).collect()
}
