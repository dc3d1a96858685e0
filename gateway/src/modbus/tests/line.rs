//! RTU over a TCP connection that we dial: what a slave does wrong stays its own trouble, and no value is another's.

use super::slave::serial_server;
use super::*;
use crate::tcp::testing::World;
use model::envelope::Envelope;
use model::verdict::RefusalReason;
use protocol::modbus::{Answer, Block, Function};
use std::sync::atomic::Ordering;

/// Two values far apart, so that each poll asks two questions of one shape.
fn far_apart() -> Vec<Register> {
    vec![register("a", 3, 10, RegisterKind::U16), register("b", 3, 900, RegisterKind::U16)]
}

fn devices(address: &str, units: &[u8]) -> Vec<(model::principal::DeviceAtEdge, &'static str)> {
    units.iter().map(|unit| (modbus_device(i64::from(*unit), poll(address, *unit, far_apart())), "")).collect()
}

/// Every value that was read is the one of its own register.
fn true_values(seen: &[Envelope]) {
    for envelope in seen {
        for block in Reading::decode(&envelope.raw).unwrap().blocks {
            match block.answer {
                Answer::Registers(words) => assert_eq!(words, [block.address], "unit {}", envelope.device),
                other => panic!("{other:?} of unit {}", envelope.device),
            }
        }
    }
}

async fn polled(devices: Vec<(model::principal::DeviceAtEdge, &str)>, frames: usize) -> (World, Vec<Envelope>) {
    let world = World::new(devices);
    let cancel = CancellationToken::new();
    let polling = tokio::spawn(serve(no_ports(), world.edge.clone(), config(), cancel.clone()));
    let seen = world.inlet.frames(frames).await;
    cancel.cancel();
    polling.await.unwrap();
    assert!(world.edge.online.is_empty());
    (world, seen)
}

#[tokio::test]
async fn a_dead_slave_and_a_damaged_one_neither_stop_their_neighbours_nor_become_values() {
    let (address, _) = serial_server().await;
    let (world, seen) = polled(devices(&address, &[2, 4, 6, 1, 9]), 16).await;
    true_values(&seen);
    assert!(seen.iter().all(|envelope| matches!(envelope.device, DeviceId(1 | 9))));
    let refusals = world.doorstep.refusals.lock().unwrap();
    let told = |unit: i64| {
        let of: Vec<_> = refusals.iter().filter(|refusal| refusal.device == Some(DeviceId(unit))).collect();
        assert_eq!(of.len(), 1, "told once: {of:?}");
        (of[0].reason, of[0].detail.clone())
    };
    assert_eq!(told(2), (RefusalReason::Unanswered, "unit 2: no answer in time".into()));
    assert_eq!(told(4).0, RefusalReason::CheckBad);
    assert_eq!(told(6), (RefusalReason::Unanswered, "unit 6: exception 2, illegal data address".into()));
}

#[tokio::test]
async fn a_late_answer_is_never_taken_for_the_next_of_the_same_slave_and_function() {
    let (address, asked) = serial_server().await;
    let (_, seen) = polled(devices(&address, &[3, 1]), 24).await;
    true_values(&seen);
    assert!(seen.iter().any(|envelope| envelope.device == DeviceId(3)), "the late slave is heard too");
    assert!(asked.load(Ordering::SeqCst) > 24);
}

#[tokio::test]
async fn an_answer_that_comes_twice_is_drained_before_the_next_question() {
    let (address, _) = serial_server().await;
    // The second copy is on its way when the next question is put unless the line gets a moment, as a real bus wants it.
    let map = poll(&address, 7, far_apart());
    let quiet = ModbusPoll { pause_ms: 30, ..map };
    let (_, seen) = polled(vec![(modbus_device(7, quiet), "")], 6).await;
    true_values(&seen);
}

#[tokio::test]
async fn a_busy_slave_is_asked_again_as_often_as_its_map_says() {
    let (address, _) = serial_server().await;
    let patient = ModbusPoll { busy_retries: 2, busy_wait_ms: 1, ..poll(&address, 5, far_apart()) };
    let (_, seen) = polled(vec![(modbus_device(5, patient), "")], 3).await;
    true_values(&seen);
    let hasty = ModbusPoll { busy_retries: 1, interval_ms: 100, ..poll(&address, 5, far_apart()) };
    let world = World::new(vec![(modbus_device(5, hasty), "")]);
    let cancel = CancellationToken::new();
    let polling = tokio::spawn(serve(no_ports(), world.edge.clone(), config(), cancel.clone()));
    let seen = world.inlet.frames(1).await;
    cancel.cancel();
    polling.await.unwrap();
    let blocks = Reading::decode(&seen[0].raw).unwrap().blocks;
    assert!(blocks.iter().any(|block| block.answer == Answer::Exception(6)), "busy is kept as busy: {blocks:?}");
}

#[tokio::test]
async fn a_damaged_answer_is_asked_for_again_within_the_poll() {
    let (address, asked) = serial_server().await;
    let again = ModbusPoll { retries: 2, ..poll(&address, 4, far_apart()) };
    let world = World::new(vec![(modbus_device(4, again), ""), (modbus_device(1, poll(&address, 1, far_apart())), "")]);
    let cancel = CancellationToken::new();
    let polling = tokio::spawn(serve(no_ports(), world.edge.clone(), config(), cancel.clone()));
    world.inlet.frames(1).await;
    cancel.cancel();
    polling.await.unwrap();
    assert!(asked.load(Ordering::SeqCst) >= 3 + 2);
}

#[tokio::test]
async fn a_connection_that_is_given_up_after_each_poll_is_made_anew_without_a_word() {
    let (address, _) = serial_server().await;
    let closing = ModbusPoll { close_after_poll: true, connect_pause_ms: 5, ..poll(&address, 1, far_apart()) };
    let (world, seen) = polled(vec![(modbus_device(1, closing), "")], 4).await;
    true_values(&seen);
    let numbers: std::collections::BTreeSet<u64> = seen.iter().map(|envelope| envelope.connection).collect();
    assert_eq!(numbers.len(), 4);
    assert!(world.doorstep.refusals.lock().unwrap().is_empty());
    let connected = world.wire.events.lock().unwrap().iter().filter(|(_, what)| *what == "connected").count();
    assert_eq!(connected, 1, "the slave was there all the time");
}

#[tokio::test]
async fn a_server_that_hangs_up_between_polls_costs_no_reading() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("rtu+tcp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        // Two questions, the blocks of one poll, on each connection.
        while let Ok((mut stream, _)) = listener.accept().await {
            let (mut near, far) = tokio::io::duplex(64);
            tokio::spawn(slave::answer(far, std::sync::Arc::default()));
            for _ in 0..2 {
                let mut question = [0; 8];
                if tokio::io::AsyncReadExt::read_exact(&mut stream, &mut question).await.is_err() {
                    break;
                }
                let mut answer = [0; 7];
                tokio::io::AsyncWriteExt::write_all(&mut near, &question).await.unwrap();
                tokio::io::AsyncReadExt::read_exact(&mut near, &mut answer).await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut stream, &answer).await.unwrap();
            }
        }
    });
    let (world, seen) = polled(devices(&address, &[1]), 5).await;
    true_values(&seen);
    assert!(world.doorstep.refusals.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nobody_there_is_told_with_the_reason_and_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("rtu+tcp://{}", listener.local_addr().unwrap());
    drop(listener);
    let (other, _) = serial_server().await;
    let mut all = devices(&address, &[1]);
    all.extend(devices(&other, &[9]));
    let (world, _) = polled(all, 5).await;
    let refusals = world.doorstep.refusals.lock().unwrap();
    assert_eq!(refusals.len(), 1);
    assert!(refusals[0].detail.starts_with("unit 1: not reached: "), "{}", refusals[0].detail);
}

#[tokio::test]
async fn a_probe_reads_what_is_there_and_names_what_is_not() {
    let (address, _) = serial_server().await;
    let mut prober = crate::modbus::Prober::connect(&address.parse().unwrap(), Duration::from_secs(5)).await.unwrap();
    let block = Block { function: Function::HoldingRegisters, address: 3, count: 2 };
    let limit = Duration::from_millis(150);
    assert_eq!(prober.read(1, block, limit).await.unwrap().answer, Answer::Registers(vec![3, 4]));
    assert_eq!(prober.read(2, block, limit).await, Err(crate::modbus::Failure::Timeout));
    assert_eq!(prober.read(6, block, limit).await.unwrap().answer, Answer::Exception(2));
    assert!(matches!(prober.read(4, block, limit).await, Err(crate::modbus::Failure::Damaged(_))));
    assert_eq!(prober.read(1, block, limit).await.unwrap().answer, Answer::Registers(vec![3, 4]));
}
