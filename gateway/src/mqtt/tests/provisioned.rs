//! A device that has a claim code and no credential.

use super::*;
use model::provision::{Claimant, Provisioned, Provisioner, Told};

/// The code `right` makes any serial but `known`.
impl Provisioner for World {
    fn provision(&self, claimant: Claimant, told: Told) {
        told(match (claimant.code.as_str(), claimant.serial.as_str()) {
            ("right", "known") => Provisioned::Refused { guessed: false },
            ("right", serial) => {
                let settings = vec![("username", format!("s7-{serial}")), ("password", "token".to_owned())];
                Provisioned::Made { settings, pending: serial == "later" }
            }
            _ => Provisioned::Refused { guessed: true },
        });
    }
}

const REQUEST: &str = "lantian/v1/provision/request";

async fn claiming(bench: &Bench, code: &str) -> V4 {
    let mut connect = v4::Connect::new("sn-1");
    connect.set_login("claim", code);
    let mut client = V4 { stream: bench.stream(), buffer: BytesMut::new() };
    client.send(v4::Packet::Connect(connect)).await;
    assert!(matches!(client.next().await, Some(v4::Packet::ConnAck(_))));
    client
}

async fn answer(client: &mut V4, payload: &str) -> serde_json::Value {
    client.send(publish_v4(REQUEST, v4_qos::QoS::AtLeastOnce, 7, payload)).await;
    assert!(matches!(client.next().await, Some(v4::Packet::PubAck(ack)) if ack.pkid == 7));
    let Some(v4::Packet::Publish(publish)) = client.next().await else { panic!("no response") };
    assert_eq!(publish.topic, "lantian/v1/provision/response");
    serde_json::from_slice(&publish.payload).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_device_with_a_claim_code_gets_its_credential_and_may_do_nothing_else() {
    let bench = Bench::new();
    let mut client = claiming(&bench, "right").await;
    assert_eq!(
        subscribe_v4(&mut client, "lantian/v1/provision/response", v4_qos::QoS::AtMostOnce).await,
        v4::SubscribeReasonCode::Success(v4_qos::QoS::AtMostOnce)
    );
    let other = subscribe_v4(&mut client, "lantian/v1/dev-1/telemetry", v4_qos::QoS::AtMostOnce).await;
    assert_eq!(other, v4::SubscribeReasonCode::Failure);
    let told = answer(&mut client, r#"{"serial":"a1"}"#).await;
    assert_eq!((told["status"].as_str(), told["settings"]["username"].as_str()), (Some("accepted"), Some("s7-a1")));
    assert_eq!(answer(&mut client, r#"{"serial":"later"}"#).await["status"], "pending");
    assert_eq!(answer(&mut client, r#"{"serial":"known"}"#).await["status"], "refused");
    assert_eq!(answer(&mut client, "no json").await["status"], "invalid");
    client.send(publish_v4(REQUEST, v4_qos::QoS::AtLeastOnce, 8, r#"{"serial":"a5"}"#)).await;
    assert!(client.next().await.is_none(), "a fifth request was heard");
    let mut client = claiming(&bench, "right").await;
    client.send(publish_v4(&telemetry("dev-1"), v4_qos::QoS::AtLeastOnce, 1, "{}")).await;
    assert!(client.next().await.is_none(), "it may publish");
    assert!(bench.world.payloads().is_empty() && bench.world.knocks.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_wrong_claim_code_is_told_only_that_and_the_conversation_ends_by_itself() {
    let bench = Bench::new();
    let mut client = claiming(&bench, "wrong").await;
    let told = answer(&mut client, r#"{"serial":"a1"}"#).await;
    assert_eq!(told, serde_json::json!({"status": "refused"}));
    // The code may stand in the request.
    assert_eq!(answer(&mut client, r#"{"serial":"a1","code":"right"}"#).await["status"], "accepted");
    let began = tokio::time::Instant::now();
    assert!(client.next().await.is_none());
    assert!(began.elapsed() <= Duration::from_mins(1));
}
