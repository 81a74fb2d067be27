//! The lane under every interleaving, and with every value that a load may see. (One thing loom
//! does not try: a load that sees a store of the future, which is what W1 and R3 exclude.)
//! Run with `RUSTFLAGS="--cfg loom"`.
#![cfg(loom)]

use loom::sync::Arc;
use loom::thread;
use sigspy_wire::lane::Lane;

type SmallLane = Lane<4>;

/// A record of two words that belong together.
fn push(lane: &SmallLane, tid: u32) -> bool {
    let Some(mut writer) = lane.claim(tid, 2) else { return false };
    writer.push(u64::from(tid));
    writer.push(u64::from(tid) * 100);
    writer.publish();
    true
}

/// What was drained so far. Panics on half a record.
fn drain(lane: &SmallLane, drained: &mut Vec<u64>) {
    let mut words = Vec::new();
    lane.drain(|word| words.push(word)).expect("the counters make sense");
    for record in words.chunks(2) {
        assert_eq!(record.len(), 2, "a record is published as a whole");
        assert_ne!(record[0], 0, "a published word has been written");
        assert_eq!(record[1], record[0] * 100, "words of one record stay together");
        drained.push(record[0]);
    }
}

#[test]
fn what_is_published_arrives_whole_and_once() {
    loom::model(|| {
        let lane = Arc::new(SmallLane::default());
        let writers: Vec<_> = [1, 2]
            .map(|tid| {
                let lane = lane.clone();
                thread::spawn(move || push(&lane, tid))
            })
            .into();
        let mut drained = Vec::new();
        drain(&lane, &mut drained);
        let pushed = writers.into_iter().map(|writer| writer.join().unwrap()).collect::<Vec<_>>();
        drain(&lane, &mut drained);
        drained.sort_unstable();
        let expected: Vec<u64> = (1..).zip(pushed).filter_map(|(tid, ok)| ok.then_some(tid)).collect();
        assert_eq!(drained, expected);
    });
}

#[test]
fn a_full_lane_is_never_overwritten_while_it_is_read() {
    loom::model(|| {
        let lane = Arc::new(SmallLane::default());
        assert!(push(&lane, 1) && push(&lane, 2));
        let writer = {
            let lane = lane.clone();
            thread::spawn(move || push(&lane, 3))
        };
        let mut drained = Vec::new();
        drain(&lane, &mut drained);
        let third = writer.join().unwrap();
        drain(&lane, &mut drained);
        assert_eq!(drained, if third { vec![1, 2, 3] } else { vec![1, 2] });
    });
}

#[test]
fn a_lane_is_stolen_from_a_dead_writer_once() {
    loom::model(|| {
        let lane = Arc::new(SmallLane::default());
        let dying = {
            let lane = lane.clone();
            thread::spawn(move || {
                let mut writer = lane.claim(1, 2).expect("nobody else is there yet");
                writer.push(1); // and is killed
                std::mem::forget(writer);
            })
        };
        dying.join().unwrap();
        let heir = {
            let lane = lane.clone();
            thread::spawn(move || push(&lane, 2))
        };
        assert!(lane.release_dead(1));
        let mut drained = Vec::new();
        drain(&lane, &mut drained);
        let inherited = heir.join().unwrap();
        assert!(!lane.release_dead(1));
        drain(&lane, &mut drained);
        assert_eq!(drained, if inherited { vec![2] } else { vec![] });
    });
}

#[test]
fn only_one_of_two_writers_has_the_lane() {
    loom::model(|| {
        let lane = Arc::new(SmallLane::default());
        let others = {
            let lane = lane.clone();
            thread::spawn(move || lane.claim(1, 1).map(std::mem::forget).is_some())
        };
        let ours = lane.claim(2, 1).map(std::mem::forget).is_some();
        assert!(ours ^ others.join().unwrap());
    });
}
