//! With a stock client over TCP, and the fan-out on its own threads. Time runs.

use super::*;
use rumqttc::v5 as r5;

const WAIT: Duration = Duration::from_secs(20);

async fn listen(bench: &Bench) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let front = bench.front.clone();
    tokio::spawn(async move { front.serve(listener).await });
    port
}

async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    tokio::time::timeout(WAIT, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
        }
    })
    .await
    .expect("in time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rumqttc_publishes_at_every_qos_and_reads_commands() {
    let bench = Bench::new();
    let port = listen(&bench).await;
    let mut options = rumqttc::MqttOptions::new("stock", "127.0.0.1", port);
    options.set_credentials("dev-1", "secret");
    let (client, mut events) = rumqttc::AsyncClient::new(options, 10);
    client.subscribe("lantian/v1/dev-1/command", rumqttc::QoS::ExactlyOnce).await.unwrap();
    for qos in [rumqttc::QoS::AtMostOnce, rumqttc::QoS::AtLeastOnce, rumqttc::QoS::ExactlyOnce] {
        client.publish(telemetry("dev-1"), qos, false, "{\"fume\":1}").await.unwrap();
    }
    let (mut acknowledged, mut completed, mut sent) = (0, 0, false);
    until(async || {
        match events.poll().await.expect("a healthy connection") {
            rumqttc::Event::Incoming(rumqttc::Packet::PubAck(_)) => acknowledged += 1,
            rumqttc::Event::Incoming(rumqttc::Packet::PubComp(_)) => completed += 1,
            rumqttc::Event::Incoming(rumqttc::Packet::Publish(publish)) => return Some(publish.payload),
            _ => {}
        }
        if acknowledged == 1 && completed == 1 && !std::mem::replace(&mut sent, true) {
            let command = Bytes::from_static(b"restart");
            bench.front.publish_to_device("dev-1", TopicKind::Command, command, Delivery::ExactlyOnce);
        }
        None
    })
    .await;
    assert_eq!(bench.world.payloads().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clean_observers_read_streams_through_the_fan_out() {
    let bench = Bench::new();
    let port = listen(&bench).await;
    let mut observers = Vec::new();
    for number in 0..3 {
        let mut options = r5::MqttOptions::new(format!("observer-{number}"), "127.0.0.1", port);
        options.set_credentials("staff", "secret");
        let (client, mut events) = r5::AsyncClient::new(options, 10);
        client.subscribe("lantian/v1/+/telemetry", r5::mqttbytes::QoS::AtMostOnce).await.unwrap();
        until(async || {
            let event = events.poll().await.expect("a healthy connection");
            matches!(event, r5::Event::Incoming(r5::Incoming::SubAck(_))).then_some(())
        })
        .await;
        observers.push((client, events));
    }
    // The fan-out takes a subscription in its own time; the first live message that comes through says it is there.
    let live = bench.front.fan_out();
    let beat = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        loop {
            ticks.tick().await;
            live.publish("lantian/v1/dev-9/telemetry".into(), Bytes::from_static(b"beat"));
        }
    });
    for (_, events) in &mut observers {
        until(async || match events.poll().await.expect("a healthy connection") {
            r5::Event::Incoming(r5::Incoming::Publish(publish)) => Some(publish),
            _ => None,
        })
        .await;
    }
    beat.abort();
    let mut device = rumqttc::MqttOptions::new("device", "127.0.0.1", port);
    device.set_credentials("dev-1", "secret");
    let (client, mut device_events) = rumqttc::AsyncClient::new(device, 10);
    let pump = tokio::spawn(async move { while device_events.poll().await.is_ok() {} });
    for number in 0..300 {
        client.publish(telemetry("dev-1"), rumqttc::QoS::AtLeastOnce, false, number.to_string()).await.unwrap();
    }
    for (_, events) in &mut observers {
        let mut next = 0;
        until(async || {
            if let r5::Event::Incoming(r5::Incoming::Publish(publish)) = events.poll().await.expect("healthy")
                && publish.payload != "beat"
            {
                assert_eq!(publish.payload, next.to_string());
                next += 1;
            }
            (next == 300).then_some(())
        })
        .await;
    }
    // Observers come and go without harm to the others.
    let (last, mut events) = observers.pop().unwrap();
    drop(observers);
    client.publish(telemetry("dev-1"), rumqttc::QoS::AtLeastOnce, false, "still").await.unwrap();
    until(async || match events.poll().await.expect("healthy") {
        r5::Event::Incoming(r5::Incoming::Publish(publish)) if publish.payload == "still" => Some(()),
        _ => None,
    })
    .await;
    pump.abort();
    drop(last);
    bench.stop.cancel();
    bench.front.finish().await;
}
