//! Who calls whom, by name, for all functions of a surface.
//!
//! A surface stores the callers of each instance; what each function calls is found by turning that table round once.
//! Names are compared by 64-bit hashes, which mean the same in both surfaces.

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use rayon::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use crate::surface::record::{self, Section};
use crate::surface::strings::bytes_at;
use crate::surface::{Surface, run};

/// Callers or callees that are looked at. Functions with more are called from everywhere, and all of it tells no more.
const SITES: usize = 1 << 12;
/// Functions that one task looks at, at least.
const CHUNK: usize = 1 << 12;

/// Hash of a name, the same in every surface.
pub(super) fn hash_of(name: &[u8]) -> u64 {
    xxh3_64(name)
}

/// Functions by the hash of their name.
pub(super) type ByHash = HashMap<u64, u32, FixedState>;

/// The functions of a surface and the calls between them.
pub(super) struct Graph<'a> {
    pub surface: &'a Surface,
    functions: &'a [record::Function],
    instances: &'a [record::Instance],
    inline_sites: &'a [record::InlineSite],
    call_sites: &'a [record::CallSite],
    /// Hash of each function's name.
    hashes: Vec<u64>,
    /// The function that each instance is of.
    owners: Vec<u32>,
    /// Where the callees of each function begin in `callees`.
    firsts: Vec<u32>,
    /// The functions that each function calls or holds copies of, once for each site.
    callees: Vec<u32>,
    /// What it tells about a function that it calls this one: [`Peer::weight`].
    weights: Vec<u8>,
}

/// A function at the other end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Peer {
    /// Hash of its name.
    pub hash: u64,
    /// What it tells, from 1 for a function that is called from everywhere to 16.
    pub weight: u8,
    /// Its place among the functions of its surface.
    pub function: u32,
}

impl<'a> Graph<'a> {
    pub fn new(surface: &'a Surface) -> Self {
        let functions: &[record::Function] = surface.table(Section::Functions);
        let strings = surface.section(Section::Strings);
        let hashes = functions
            .par_iter()
            .with_min_len(CHUNK)
            .map(|function| hash_of(bytes_at(strings, function.name.get())))
            .collect();
        let mut graph = Self {
            surface,
            functions,
            instances: surface.table(Section::Instances),
            inline_sites: surface.table(Section::InlineSites),
            call_sites: surface.table(Section::CallSites),
            hashes,
            owners: Vec::new(),
            firsts: Vec::new(),
            callees: Vec::new(),
            weights: Vec::new(),
        };
        graph.weights = (0..graph.len()).map(|function| graph.weigh(function)).collect();
        graph.find_owners();
        graph.turn_round();
        graph
    }

    fn find_owners(&mut self) {
        let mut owners = Vec::with_capacity(self.instances.len());
        for (index, next) in (0..).zip(self.functions.iter().skip(1)) {
            // In a damaged file runs may go backwards; instances then belong to the first that claims them.
            let end = (next.first_instance.get() as usize).min(self.instances.len());
            if end > owners.len() {
                owners.resize(end, index);
            }
        }
        owners.resize(self.instances.len(), (self.functions.len() as u32).saturating_sub(1));
        self.owners = owners;
    }

    /// From the callers of each function to the callees of each.
    fn turn_round(&mut self) {
        let each = |meet: &mut dyn FnMut(u32, u32)| {
            for (instance, callee) in self.owners.iter().enumerate() {
                for caller in self.sites(instance) {
                    if let Some(caller) = self.owners.get(caller as usize).filter(|caller| *caller != callee)
                    {
                        meet(*caller, *callee);
                    }
                }
            }
        };
        let mut ends = vec![0u32; self.functions.len() + 1];
        each(&mut |caller, _| ends[caller as usize + 1] += 1);
        for at in 1..ends.len() {
            ends[at] += ends[at - 1];
        }
        let mut callees = vec![0; ends.last().map_or(0, |all| *all as usize)];
        let mut next = ends.clone();
        each(&mut |caller, callee| {
            let place = &mut next[caller as usize];
            callees[*place as usize] = callee;
            *place += 1;
        });
        (self.firsts, self.callees) = (ends, callees);
    }

    /// Hash of a function's name.
    pub fn hash(&self, function: u32) -> u64 {
        self.hashes.get(function as usize).copied().unwrap_or_default()
    }

    /// All functions.
    pub fn by_hash(&self) -> ByHash {
        self.hashes.iter().copied().zip(0..).collect()
    }

    /// Places of the functions of these names; names that there are not are left out.
    pub fn find(&self, names: &[&str]) -> Vec<u32> {
        let wanted: HashSet<u64, FixedState> = names.iter().map(|name| hash_of(name.as_bytes())).collect();
        (0..).zip(&self.hashes).filter(|(_, hash)| wanted.contains(*hash)).map(|(place, _)| place).collect()
    }

    /// Places of a function's instances.
    fn instances(&self, function: u32) -> std::ops::Range<usize> {
        let index = function as usize;
        let first = self.functions.get(index).map_or(0, |record| record.first_instance.get() as usize);
        first..first + run(self.functions, index, |record| record.first_instance, self.instances).len()
    }

    /// The instances that call an instance or hold a copy of it.
    fn sites(&self, instance: usize) -> impl Iterator<Item = u32> {
        let inline = run(self.instances, instance, |record| record.first_inline_site, self.inline_sites);
        let direct = run(self.instances, instance, |record| record.first_call_site, self.call_sites);
        inline.iter().map(|site| site.caller.get()).chain(direct.iter().map(|site| site.caller.get()))
    }

    /// The functions that call a function or hold copies of it, itself left out; sorted, each once.
    pub fn callers(&self, function: u32) -> Vec<Peer> {
        let sites = self.instances(function).flat_map(|instance| self.sites(instance));
        let callers = sites.take(SITES).filter_map(|caller| self.owners.get(caller as usize).copied());
        // Who calls tells the same whoever it is: functions that call thousands of others are rare.
        let peer = |caller| Peer { hash: self.hash(caller), weight: 1, function: caller };
        let mut peers: Vec<Peer> = callers.filter(|caller| *caller != function).map(peer).collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    /// The functions that a function calls or holds copies of, itself left out; sorted, each once.
    pub fn callees(&self, function: u32) -> Vec<Peer> {
        let index = function as usize;
        let range = self.firsts.get(index).zip(self.firsts.get(index + 1));
        let range = range.map_or(0..0, |(first, end)| *first as usize..*end as usize);
        let callees = self.callees[range].iter().copied().take(SITES);
        let peer = |callee| Peer {
            hash: self.hash(callee),
            weight: self.weights.get(callee as usize).copied().unwrap_or(1),
            function: callee,
        };
        let mut peers: Vec<Peer> = callees.map(peer).collect();
        peers.sort_unstable();
        peers.dedup();
        peers
    }

    /// Number of functions.
    pub fn len(&self) -> u32 {
        self.functions.len() as u32
    }

    /// At how many sites a function is inlined, and at how many it is called.
    pub fn sites_of(&self, function: u32) -> (u32, u32) {
        let instances = self.instances(function);
        let count = |first: fn(&record::Instance) -> u32, all: usize| {
            let at = |index: usize| self.instances.get(index).map_or(all as u32, first);
            at(instances.end).saturating_sub(at(instances.start))
        };
        (
            count(|instance| instance.first_inline_site.get(), self.inline_sites.len()),
            count(|instance| instance.first_call_site.get(), self.call_sites.len()),
        )
    }

    /// At how many sites a function calls others or holds copies of them.
    pub fn calls_of(&self, function: u32) -> u32 {
        let index = function as usize;
        self.firsts.get(index).zip(self.firsts.get(index + 1)).map_or(0, |(first, end)| end - first)
    }

    /// What it tells about a function that it calls this one.
    fn weigh(&self, callee: u32) -> u8 {
        let (inline, direct) = self.sites_of(callee);
        16u32.saturating_sub((inline + direct).max(1).ilog2()).max(1) as u8
    }
}
