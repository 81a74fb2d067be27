//! index ROUNDS: builds a search index of made-up pages and asks it, again and again.
//!
//! Two dozen functions of different sizes, with allocations, hash tables and trees of the standard
//! library, and more memory than caches hold. The work is always the same. At the end it prints
//! `work ROUNDS`. Other versions of it are built with `--cfg`:
//!
//! * `slower_10`, `slower_20`, `slower_50`: `edit_distance` takes so many percent longer
//! * `renamed`: `rank_pages` is called `weigh_pages`
//! * `inlined`: `hash_word` is inlined where it is called
//! * `moved`: `pack` is in another module
//! * `shifted`: `summarize` leaves most of its work to `digest`, which it calls
#![allow(unexpected_cfgs, reason = "the program is built without cargo")]

use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::fmt::Write;
use std::hint::black_box;

const PAGES: usize = 1 << 17;
const LINKS: usize = 4;
const SIDE: usize = 100;
const TITLE: usize = 90;
const WORDS_OF_A_PAGE: usize = 3000;
const OWN_PERCENT: usize = if cfg!(shifted) { 20 } else { 80 };
/// Percent of its rows that `edit_distance` does for nothing. Not a constant, so that the code is the
/// same whatever it is.
static SLOWER: usize = match () {
    () if cfg!(slower_10) => 10,
    () if cfg!(slower_20) => 20,
    () if cfg!(slower_50) => 50,
    () => 0,
};

#[cfg(moved)]
use codec::pack;
#[cfg(renamed)]
use weigh_pages as rank_pages;

struct Random(u64);

impl Random {
    #[inline(never)]
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[inline(never)]
fn spell(id: u64, out: &mut String) {
    out.push((b'A' + (id % 26) as u8) as char);
    let mut rest = id.wrapping_mul(2_654_435_761) % 308_915_776;
    while rest > 0 {
        out.push((b'a' + (rest % 26) as u8) as char);
        rest /= 26;
    }
}

#[inline(never)]
fn make_page(random: &mut Random) -> String {
    let mut page = String::new();
    // From half as many to half as many again: rounds of one length might keep step with ticks.
    let words = WORDS_OF_A_PAGE / 2 + random.next() as usize % WORDS_OF_A_PAGE;
    for word in 0..words {
        let most = 1 + random.next() % 4000; // small numbers are frequent
        spell(random.next() % most, &mut page);
        page.push_str(if word % 12 == 11 { ". " } else { " " });
    }
    page
}

#[inline(never)]
fn stem(word: &str) -> String {
    let ending = ["ing", "ed", "s", "e"].into_iter().find(|ending| word.ends_with(ending));
    word[..word.len() - ending.map_or(0, str::len)].to_owned()
}

#[inline(never)]
fn split_words(page: &str) -> Vec<String> {
    page.split(|c: char| !c.is_ascii_lowercase()).filter(|word| word.len() > 3).map(stem).collect()
}

#[cfg_attr(inlined, inline(always))]
#[cfg_attr(not(inlined), inline(never))]
fn hash_word(word: &str) -> u64 {
    let mut hash = 14_695_981_039_346_656_037_u64;
    for byte in (0..6).flat_map(|_| word.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211);
    }
    hash
}

/// Words by their hashes.
#[derive(Default)]
struct Vocabulary(HashMap<u64, (u32, String)>);

impl Vocabulary {
    #[inline(never)]
    fn intern(&mut self, word: &str) -> u32 {
        let next = self.0.len() as u32;
        self.0.entry(hash_word(word)).or_insert_with(|| (next, word.to_owned())).0
    }
}

#[inline(never)]
fn count_words(ids: &[u32]) -> Vec<(u32, u32)> {
    let mut tree = BTreeMap::new();
    for id in ids {
        *tree.entry(*id).or_default() += 1;
    }
    tree.into_iter().collect()
}

#[inline(never)]
fn sort_by_count(mut counts: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    counts.sort_by(|(_, a), (_, b)| b.cmp(a));
    counts
}

macro_rules! define_pack {
    () => {
        #[inline(never)]
        pub fn pack(counts: &[(u32, u32)]) -> Vec<u8> {
            let (mut packed, mut last) = (Vec::new(), 0_u32);
            for (id, count) in (0..30).flat_map(|_| counts) {
                let mut rest = id.wrapping_sub(last);
                while rest > 0 {
                    packed.push((rest | 128) as u8);
                    rest >>= 7;
                }
                packed.push((count & 127) as u8);
                last = *id;
            }
            packed
        }
    };
}

#[cfg(not(moved))]
define_pack!();
#[cfg(moved)]
mod codec {
    define_pack!();
}

#[inline(never)]
fn unpack(packed: &[u8]) -> u64 {
    let (mut all, mut rest) = (0_u64, 0_u64);
    for byte in (0..3).flat_map(|_| packed) {
        rest = rest << 7 | u64::from(byte & 127);
        if byte & 128 == 0 {
            all = all.wrapping_add(std::mem::take(&mut rest));
        }
    }
    all
}

fn mixed(sum: u64, byte: &u8) -> u64 {
    sum.rotate_left(5).wrapping_mul(31).wrapping_add((*byte).into())
}

#[inline(never)]
fn digest(bytes: &[u8], sum: u64) -> u64 {
    let mut sum = sum;
    for byte in bytes {
        sum = mixed(sum, byte);
    }
    sum
}

#[inline(never)]
fn summarize(page: &str, sum: u64) -> u64 {
    let (own, rest) = page.as_bytes().split_at(page.len() * OWN_PERCENT / 100);
    let mut sum = sum;
    for _ in 0..16 {
        for byte in own {
            sum = mixed(sum, byte);
        }
        sum = digest(rest, sum);
    }
    sum
}

#[inline(never)]
fn compress(page: &[u8]) -> Vec<u8> {
    let (mut seen, mut out, mut at) = (vec![0; 1 << 12], Vec::new(), 0);
    while at + 4 < page.len() {
        let key = page[at..at + 3].iter().fold(0, |key, byte| key * 631 + usize::from(*byte));
        let before = std::mem::replace(&mut seen[key & 4095], at);
        let pairs = page[before..].iter().zip(&page[at..]).take(60);
        let same = pairs.take_while(|(a, b)| a == b).count();
        let is_match = same > 3 && before < at;
        out.push(if is_match { 128 + same as u8 } else { page[at] });
        at += if is_match { same } else { 1 };
    }
    out
}

#[inline(never)]
fn edit_distance(a: &[u8], b: &[u8]) -> u32 {
    let extra = a.len() * *black_box(&SLOWER) / 100;
    let mut row = [0_u32; TITLE + 1];
    for step in 0..extra + a.len() {
        let i = if step < extra { step } else { step - extra };
        if i == 0 {
            row.iter_mut().zip(0..).for_each(|(cell, j)| *cell = j);
        }
        let mut diagonal = row[0];
        row[0] = i as u32 + 1;
        for (j, other) in b.iter().enumerate() {
            let changed = diagonal + u32::from(a[i] != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal.min(row[j]) + 1);
        }
    }
    row[b.len()]
}

#[inline(never)]
fn suggest(page: &[u8]) -> Option<u32> {
    let mut titles = page.chunks_exact(TITLE).step_by(2);
    let title = titles.next()?;
    titles.map(|other| edit_distance(title, other)).min()
}

struct Node {
    id: u32,
    children: [Option<Box<Node>>; 2],
}

#[inline(never)]
fn insert_node(tree: &mut Option<Box<Node>>, id: u32) {
    let mut place = tree;
    while let Some(node) = place {
        if node.id == id {
            return;
        }
        place = &mut node.children[usize::from(id > node.id)];
    }
    *place = Some(Box::new(Node { id, children: [None, None] }));
}

#[inline(never)]
fn walk_tree(tree: &Option<Box<Node>>) -> u64 {
    tree.as_ref().map_or(0, |node| 1 + node.children.iter().map(walk_tree).sum::<u64>())
}

macro_rules! define_ranking {
    ($name:ident) => {
        #[inline(never)]
        fn $name(links: &[usize], ranks: &mut [f32], half: usize) {
            for page in half * PAGES / 2..(half + 1) * PAGES / 2 {
                let from = &links[page * LINKS..(page + 1) * LINKS];
                let rank: f32 = from.iter().map(|link| ranks[*link]).sum();
                ranks[page] = 0.15 + 0.85 * rank / LINKS as f32;
            }
        }
    };
}

#[cfg(not(renamed))]
define_ranking!(rank_pages);
#[cfg(renamed)]
define_ranking!(weigh_pages);

/// Again and again in what caches hold: how much of a large matrix is still there would depend on how
/// long the others took, and a slowdown of these would truly be one of this as well.
#[inline(never)]
fn transpose(from: &[f32], to: &mut [f32]) {
    for _ in 0..27 {
        for i in 0..SIDE {
            for j in 0..SIDE {
                to[j * SIDE + i] = from[i * SIDE + j];
            }
        }
    }
}

#[inline(never)]
fn score_page(counts: &[(u32, u32)]) -> u64 {
    let score = |(id, count): &(u32, u32)| f64::from(1 + count).ln() / f64::from(2 + id).sqrt();
    (counts.iter().map(score).sum::<f64>() * 1e6) as u64
}

#[inline(never)]
fn keep_best(best: &mut BinaryHeap<std::cmp::Reverse<u64>>, score: u64) {
    best.push(std::cmp::Reverse(score));
    if best.len() > 10 {
        best.pop();
    }
}

#[inline(never)]
fn show(counts: &[(u32, u32)]) -> String {
    let mut shown = String::new();
    for (id, count) in counts.iter().step_by(4) {
        writeln!(shown, "{id}: {count}").expect("a string takes all");
    }
    shown
}

struct Index {
    random: Random,
    vocabulary: Vocabulary,
    links: Vec<usize>,
    ranks: Vec<f32>,
    matrix: [Vec<f32>; 2],
    best: BinaryHeap<std::cmp::Reverse<u64>>,
    sum: u64,
}

impl Index {
    fn new() -> Self {
        let mut random = Random(88_172_645_463_325_252);
        let links = (0..PAGES * LINKS).map(|_| random.next() as usize % PAGES).collect();
        Self {
            random,
            vocabulary: Vocabulary::default(),
            links,
            ranks: vec![1.0; PAGES],
            matrix: [vec![1.0; SIDE * SIDE], vec![0.0; SIDE * SIDE]],
            best: BinaryHeap::new(),
            sum: 0,
        }
    }

    #[inline(never)]
    fn add_page(&mut self, round: usize) {
        let page = make_page(&mut self.random).to_ascii_lowercase();
        let words = split_words(&page);
        let ids: Vec<u32> = words.iter().map(|word| self.vocabulary.intern(word)).collect();
        let mut tree = None;
        ids.iter().for_each(|id| insert_node(&mut tree, *id));
        let counts = count_words(&ids);
        let sizes = [compress(page.as_bytes()).len(), show(&sort_by_count(counts.clone())).len()];
        let parts = [unpack(&pack(&counts)), walk_tree(&tree), (sizes[0] + sizes[1]) as u64];
        let sum = parts.iter().fold(self.sum, |sum, part| sum.wrapping_add(*part));
        self.sum = summarize(&page, sum) + u64::from(suggest(page.as_bytes()).unwrap_or(0));
        rank_pages(&self.links, &mut self.ranks, round % 2);
        let [from, to] = &mut self.matrix;
        transpose(from, to);
        keep_best(&mut self.best, score_page(&counts));
    }
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut index = Index::new();
    (0..rounds).for_each(|round| index.add_page(round));
    println!("sum {}\nwork {rounds}", index.sum);
}
