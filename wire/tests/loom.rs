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

/// The numbers of the records in the lane. Panics on half a record.
fn drain(lane: &SmallLane) -> Vec<u64> {
    let mut words = Vec::new();
    lane.drain(|word| words.push(word)).expect("the counters make sense");
    let number = |record: &[u64]| {
        assert_eq!(record.len(), 2, "a record is published as a whole");
        assert_ne!(record[0], 0, "a published word has been written");
        assert_eq!(record[1], record[0] * 100, "words of one record stay together");
        record[0]
    };
    words.chunks(2).map(number).collect()
}

/// Runs `act` on another thread. loom misses interleavings of a load with what follows a load of
/// the same place elsewhere, unless the first load runs last: so readers are spawned last, and
/// joined at once.
fn spawn<T: 'static>(
    lane: &Arc<SmallLane>,
    act: impl FnOnce(&SmallLane) -> T + 'static,
) -> thread::JoinHandle<T> {
    let lane = lane.clone();
    thread::spawn(move || act(&lane))
}

#[test]
fn what_is_published_arrives_whole_and_once() {
    loom::model(|| {
        let lane = Arc::new(SmallLane::default());
        let writer = spawn(&lane, |lane| push(lane, 1));
        let reader = spawn(&lane, drain);
        let second = push(&lane, 2);
        let mut drained = reader.join().unwrap();
        let first = writer.join().unwrap();
        drained.extend(drain(&lane));
        drained.sort_unstable();
        let pushed = [(1, first), (2, second)].into_iter().filter(|(_, pushed)| *pushed);
        assert_eq!(drained, pushed.map(|(tid, _)| tid).collect::<Vec<_>>());
    });
}

#[test]
fn a_full_lane_is_never_overwritten_while_it_is_read() {
    loom::model(|| {
        let lane = Arc::new(SmallLane::default());
        assert!(push(&lane, 1) && push(&lane, 2));
        let reader = spawn(&lane, drain);
        let third = push(&lane, 3);
        let mut drained = reader.join().unwrap();
        drained.extend(drain(&lane));
        assert_eq!(drained, if third { vec![1, 2, 3] } else { vec![1, 2] });
    });
}

#[test]
fn a_lane_is_stolen_from_a_dead_writer_once() {
    loom::model(|| {
        let lane = Arc::new(SmallLane::default());
        let dying = spawn(&lane, |lane| {
            let mut writer = lane.claim(1, 2).expect("nobody else is there yet");
            writer.push(1); // and is killed
            std::mem::forget(writer);
        });
        dying.join().unwrap();
        let thief = spawn(&lane, |lane| (lane.release_dead(1), drain(lane)));
        let inherited = push(&lane, 2);
        let (stolen, mut drained) = thief.join().unwrap();
        assert!(stolen && !lane.release_dead(1));
        drained.extend(drain(&lane));
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
