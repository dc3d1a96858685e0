//! What becomes of a delivery, and what is shown of a channel.

use super::script::{Script, T0, minute, webhook};
use super::{policy, route};
use crate::notify::{DeliveryState, NotifyError, OUTBOX_MAX, Policy};
use database::{DbError, both};
use model::notice::{ChannelKind, Email, Failure, Language, Security};
use model::time::IngestTime;

fn failure(lasting: bool) -> Failure {
    Failure { reason: "503".into(), lasting, maybe: false, wait_ms: None }
}

#[test]
fn a_delivery_is_tried_under_one_key_until_it_is_sent_or_its_time_is_over() {
    both(async |db| {
        let mut it = Script::new(db, policy(vec![route("all", &[1])])).await;
        it.raise(1, "fume-exceedance", 1, T0).await;
        it.run(minute(1)).await;
        let first = it.claim(1).await.unwrap();
        assert!(it.claim(1).await.is_none(), "it is being sent");
        it.notify.failed(first.id, &failure(false), IngestTime(minute(9)), IngestTime(minute(8))).await.unwrap();
        assert!(it.claim(1).await.is_none(), "not before its time");
        let second = it.claim_at(1, minute(9)).await.unwrap();
        assert_eq!((second.attempt, &second.message), (2, &first.message));
        // The process ends while it is being sent.
        assert_eq!(it.notify.recover().await.unwrap(), 1);
        let third = it.claim_at(1, minute(9)).await.unwrap();
        assert_eq!((third.attempt, &third.message.key), (3, &first.message.key));
        it.notify.sent(third.id, IngestTime(minute(10))).await.unwrap();
        assert_eq!(it.log().await[0].state, DeliveryState::Sent);
        assert_eq!(it.notify.waiting().await.unwrap().0, 0);

        it.raise(2, "fume-exceedance", 2, minute(20)).await;
        it.raise(3, "fume-exceedance", 3, minute(20)).await;
        it.run(minute(21)).await;
        let refused = it.claim_at(1, minute(22)).await.unwrap();
        it.notify.failed(refused.id, &failure(true), IngestTime(minute(23)), IngestTime(minute(22))).await.unwrap();
        assert_eq!(it.notify.tidy(IngestTime(minute(700))).await.unwrap(), 1, "ten hours were given");
        let log = it.log().await;
        assert_eq!((log[0].state, log[1].state), (DeliveryState::Expired, DeliveryState::Failed));
        assert_eq!(log[1].reason, "503");
        let again = it.notify.again(log[0].id, IngestTime(minute(701))).await.unwrap();
        assert_eq!((again.state, again.key.clone()), (DeliveryState::Queued, log[0].key.clone()));
        assert_eq!(it.notify.tidy(IngestTime(minute(1_000))).await.unwrap(), 0);
        assert_eq!(it.notify.tried_since(1, IngestTime(minute(8))).await.unwrap().len(), 2);
        // The log forgets.
        it.notify.tidy(IngestTime(minute(200_000))).await.unwrap();
        assert_eq!(it.log().await.len(), 1, "what waited has expired just now");
    });
}

#[test]
fn a_full_outbox_takes_no_more_and_says_so() {
    both(async |db| {
        let mut it = Script::new(db.clone(), policy(vec![route("all", &[1])])).await;
        database::transaction!(db, |tx| -> Result<(), DbError> {
            for id in 0..OUTBOX_MAX {
                sqlx::query(
                    "INSERT INTO delivery(id, idempotency_key, channel, route, kind, state, reason, made, due, expires, attempts, maybe) \
                     VALUES ($1, $2, 1, '', 'test', 'queued', '', 1, 1, 1, 0, 0)",
                )
                .bind(id + 1_000_000)
                .bind(format!("k{id}"))
                .execute(&mut *tx)
                .await?;
            }
            Ok(())
        })
        .unwrap();
        it.raise(1, "fume-exceedance", 1, T0).await;
        it.run(minute(1)).await;
        let log = it.log().await;
        let full = log.iter().find(|row| row.alerts.len() == 1);
        assert!(full.is_none(), "the newest page is the filling");
        let query =
            crate::notify::DeliveryQuery { state: Some(DeliveryState::Suppressed), limit: 10, ..Default::default() };
        assert_eq!(it.notify.deliveries(&query).await.unwrap()[0].reason, "full");
    });
}

#[test]
fn a_channels_secrets_are_sealed_and_its_wrong_fields_are_named() {
    both(async |db| {
        let it = Script::new(db.clone(), Policy::first()).await;
        let rows = it.notify.channels().await.unwrap();
        assert_eq!((rows[0].shown.as_str(), rows[0].has_secret), ("https://hooks.example/…", true));
        let raw: Vec<u8> = sqlx::query_scalar("SELECT secret FROM notify_channel WHERE id = 1")
            .fetch_one(&mut *db.read().await.unwrap())
            .await
            .unwrap();
        assert!(!String::from_utf8_lossy(&raw).contains("geheim"));
        assert_eq!(it.notify.senders().await.unwrap()[0].secret.secret, "geheim");
        // An edit without the secret keeps it.
        let mut edit = webhook("改名");
        (edit.id, edit.version, edit.url, edit.secret) = (1, 1, None, None);
        let edited = it.notify.put_channel(&edit, IngestTime(T0)).await.unwrap();
        assert_eq!((edited.version, edited.has_secret), (2, true));
        assert!(matches!(it.notify.put_channel(&edit, IngestTime(T0)).await, Err(NotifyError::Stale)));
        let named = async |change: &dyn Fn(&mut crate::notify::PutChannel)| {
            let mut wrong = webhook("三号群");
            change(&mut wrong);
            match it.notify.put_channel(&wrong, IngestTime(T0)).await {
                Err(NotifyError::Field(field, _)) => field,
                other => format!("{other:?}"),
            }
        };
        assert_eq!(named(&|one| one.name = " ".into()).await, "name");
        assert_eq!(named(&|one| one.name = "二号群".into()).await, "name");
        assert_eq!(named(&|one| one.url = Some("ftp://x".into())).await, "url");
        assert_eq!(named(&|one| one.url = Some("https://user:pw@x/".into())).await, "url");
        assert_eq!(named(&|one| one.url = None).await, "url");
        assert_eq!(named(&|one| one.settings.per_minute_max = 0).await, "per_minute_max");
        assert_eq!(named(&|one| one.kind = ChannelKind::Email).await, "email");
        let email = Email {
            host: "mail.example".into(),
            port: 465,
            security: Security::Tls,
            user: "lantian".into(),
            from: "lantian@mail.example".into(),
            to: vec!["duty@mail.example".into()],
        };
        let mail = |email: Email| {
            move |one: &mut crate::notify::PutChannel| {
                (one.kind, one.secret) = (ChannelKind::Email, None);
                one.settings.email = Some(email.clone());
            }
        };
        assert_eq!(named(&mail(email.clone())).await, "secret");
        assert_eq!(named(&mail(Email { to: vec!["a@b\r\nBcc: c@d".into()], ..email.clone() })).await, "email.to");
        assert_eq!(named(&mail(Email { from: "nobody".into(), ..email.clone() })).await, "email.from");
        assert_eq!(named(&mail(Email { host: "https://x".into(), ..email })).await, "email.host");
    });
}

#[test]
fn a_policy_is_checked_as_a_whole_and_each_edit_is_a_version() {
    both(async |db| {
        let it = Script::new(db, Policy::first()).await;
        let named = async |policy: Policy| match it.notify.put_policy("a", 1, &policy, IngestTime(T0)).await {
            Err(NotifyError::Field(field, _)) => field,
            other => format!("{other:?}"),
        };
        assert_eq!(named(policy(vec![route("Bad Code", &[1])])).await, "routes[0].code");
        assert_eq!(named(policy(vec![route("a", &[1]), route("a", &[1])])).await, "routes[1].code");
        assert_eq!(named(policy(vec![route("a", &[])])).await, "routes[0].channels");
        assert_eq!(named(policy(vec![route("a", &[9])])).await, "routes[0].channels");
        let stored = it.notify.put_policy("leader", 1, &policy(vec![route("a", &[1])]), IngestTime(T0)).await.unwrap();
        assert_eq!((stored.version, stored.author.as_str()), (2, "leader"));
        let stale = it.notify.put_policy("a", 1, &Policy::first(), IngestTime(T0)).await;
        assert!(matches!(stale, Err(NotifyError::Stale)));
        assert_eq!(it.notify.policy().await.unwrap(), stored);
    });
}

#[test]
fn a_message_says_what_where_and_how_much_in_both_languages() {
    both(async |db| {
        let mut it = Script::new(db, policy(vec![route("all", &[1, 2])])).await;
        let mut english = webhook("二号群");
        (english.id, english.version, english.settings.language) = (2, 1, Language::En);
        it.notify.put_channel(&english, IngestTime(T0)).await.unwrap();
        it.raise(1, "fume-exceedance", 1, T0).await;
        it.run(minute(1)).await;
        let message = it.claim(1).await.unwrap().message;
        assert_eq!(message.title, "【告警】fume-exceedance：对象1");
        assert_eq!(message.lines[1], "开始 2026-11-20 18:39 · 极值 6 mg/m3 · 限值 2 mg/m3");
        assert_eq!(message.lines[2], "https://page.example/alerts/1");
        assert_eq!((&message.data["alerts"][0]["id"], &message.data["total"]), (&1.into(), &1.into()));
        let message = it.claim(2).await.unwrap().message;
        assert_eq!(message.title, "[Alert] fume-exceedance: 对象1");
        assert!(message.lines[1].starts_with("from 2026-11-20 18:39 · extreme 6 mg/m3"), "{:?}", message.lines);
        let test = it.notify.test(1, IngestTime(minute(2))).await.unwrap();
        assert_eq!(test.state, DeliveryState::Queued);
        assert!(it.claim(1).await.unwrap().message.lines[0].contains("一号群"));
        assert!(matches!(it.notify.test(9, IngestTime(T0)).await, Err(NotifyError::NotFound)));
    });
}
