//! What the queue promises, on both engines.

use super::*;
use crate::audit::AuditFilter;
use crate::keys::Keys;
use crate::testing::{Rig, author, device, profile, rig};
use database::{Database, both};
use model::downlink::{Downlink as _, Order, Told, Wrong};
use model::envelope::ProtocolKind;
use model::principal::{Admission, Attempt};
use model::seams::DeviceDirectory as _;
use model::time::ManualClock;

const LOGGER: DeviceId = DeviceId(1);
const MINUTE: Duration = Duration::from_mins(1);
const ASK: Command = Command::Hj212GetTime { pol: None };
const ONCE: Command = Command::Hj212KeepSample;

async fn with_logger(db: Database) -> Rig {
    let rig = rig(db).await;
    let batch = vec![profile("p-hj212", ProtocolKind::Hj212), device(0, "logger", ProtocolKind::Hj212, "MN1")];
    rig.ledger.edit(&author(), batch).await.unwrap();
    rig.ledger.credentials().set_hj212_password(&author(), LOGGER, "123456").await.unwrap();
    rig
}

/// The same data in a process started anew.
async fn again(rig: &Rig, db: &Database) -> Ledger {
    let clock = Arc::<ManualClock>::clone(&rig.clock);
    Ledger::open(db.clone(), Keys::open(rig.dir.path()).unwrap(), clock).await.unwrap()
}

/// Runs a body beside the keeper.
async fn kept<T>(ledger: &Ledger, body: impl Future<Output = T>) -> T {
    tokio::select! {
        () = ledger.keep_commands() => panic!("it runs for ever"),
        done = body => done,
    }
}

async fn reaches(ledger: &Ledger, id: CommandId, state: State) -> CommandRow {
    let mut changes = ledger.commands().changes();
    loop {
        let row = ledger.commands().one(id).await.unwrap();
        if row.state == state {
            return row;
        }
        assert!(row.state.is_open(), "{id} ended as {:?}: {:?}", row.state, row.story);
        changes.recv().await.ok();
    }
}

async fn ordered(ledger: &Ledger, command: &Command) -> CommandId {
    ledger.commands().order(&author(), LOGGER, command, MINUTE).await.unwrap().id
}

/// The connection that a test is.
struct Line {
    number: u64,
    woken: Arc<tokio::sync::Notify>,
}

fn connect(ledger: &Ledger, number: u64) -> Line {
    let woken = Arc::<tokio::sync::Notify>::default();
    let wake = Arc::clone(&woken);
    ledger.desk().attach(LOGGER, number, Arc::new(move || wake.notify_one()));
    Line { number, woken }
}

impl Line {
    async fn takes(&self, ledger: &Ledger) -> Order {
        loop {
            if let Some(order) = ledger.desk().take(LOGGER, self.number) {
                return order;
            }
            self.woken.notified().await;
        }
    }
}

fn done() -> Told {
    Told::Done { text: String::new(), result: Some("{}".into()) }
}

#[test]
fn an_order_waits_for_its_device_is_on_disk_before_it_is_given_out_and_is_told_in_the_audit() {
    both(async |db| {
        let rig = with_logger(db.clone()).await;
        let id = ordered(&rig.ledger, &ASK).await;
        // Nobody ran the queue: as after kill -9.
        let ledger = again(&rig, &db).await;
        kept(&ledger, async {
            let line = connect(&ledger, 7);
            let order = line.takes(&ledger).await;
            assert_eq!((order.id, &order.command), (id, &ASK));
            assert_eq!(ledger.commands().one(id).await.unwrap().state, State::Sent);
            ledger.desk().told(LOGGER, id, 7, Told::Sent { number: "20260101".into() });
            ledger.desk().told(LOGGER, id, 7, done());
            let row = reaches(&ledger, id, State::Done).await;
            assert_eq!((row.number.as_deref(), row.result.as_deref()), (Some("20260101"), Some("{}")));
            // Said twice, it is over.
            ledger.desk().told(LOGGER, id, 7, done());
            assert_eq!(ledger.desk().take(LOGGER, 7), None);
        })
        .await;
        let page = ledger.audit().page(&AuditFilter::default()).await.unwrap();
        let entry = page.iter().find(|entry| entry.what == "command_ordered").unwrap();
        assert_eq!((entry.who.as_str(), entry.key.as_str()), ("tester", "1"));
    });
}

#[test]
fn one_command_of_a_device_is_out_at_a_time_in_the_order_they_came() {
    both(async |db| {
        let rig = with_logger(db).await;
        let ledger = &rig.ledger;
        let (first, second) = (ordered(ledger, &ASK).await, ordered(ledger, &ONCE).await);
        kept(ledger, async {
            let line = connect(ledger, 1);
            assert_eq!(line.takes(ledger).await.id, first);
            ledger.desk().told(LOGGER, first, 1, Told::Confirmed { text: String::new() });
            reaches(ledger, first, State::Confirmed).await;
            assert_eq!(ledger.commands().one(second).await.unwrap().state, State::Queued);
            ledger.desk().told(LOGGER, first, 1, Told::Failed { why: "refused", text: "2".into() });
            assert_eq!(line.takes(ledger).await.id, second);
        })
        .await;
    });
}

#[test]
fn a_lost_connection_or_a_restart_sends_again_what_may_be_repeated_and_leaves_the_rest_unknown() {
    both(async |db| {
        let rig = with_logger(db.clone()).await;
        let ledger = &rig.ledger;
        let (asked, once) = (ordered(ledger, &ASK).await, ordered(ledger, &ONCE).await);
        kept(ledger, async {
            let line = connect(ledger, 1);
            line.takes(ledger).await;
            ledger.desk().told(LOGGER, asked, 1, Told::Sent { number: "Q1".into() });
            // A newer connection takes the place of one that is only half closed.
            let line = connect(ledger, 2);
            let order = line.takes(ledger).await;
            assert_eq!((order.id, order.number.as_deref()), (asked, Some("Q1")));
            assert!(!ledger.desk().stands(asked, 1) && ledger.desk().stands(asked, 2));
            // The old one's answer is nobody's.
            ledger.desk().told(LOGGER, asked, 1, Told::Failed { why: "refused", text: String::new() });
            ledger.desk().told(LOGGER, asked, 2, done());
            assert_eq!(line.takes(ledger).await.id, once);
            ledger.desk().detach(LOGGER, 2);
            let row = reaches(ledger, once, State::Unknown).await;
            assert_eq!(row.story.last().unwrap().why, "connection_lost");
        })
        .await;
        let (asked, _) = (ordered(ledger, &ASK).await, ordered(ledger, &ONCE).await);
        kept(ledger, async {
            connect(ledger, 3).takes(ledger).await;
        })
        .await;
        let ledger = again(&rig, &db).await;
        kept(&ledger, async {
            let row = reaches(&ledger, asked, State::Queued).await;
            assert_eq!(row.interruptions, 1);
            assert_eq!(connect(&ledger, 4).takes(&ledger).await.id, asked);
        })
        .await;
    });
}

#[test]
fn what_a_session_never_took_has_not_left_and_is_no_interruption() {
    both(async |db| {
        let rig = with_logger(db).await;
        let ledger = &rig.ledger;
        let once = ordered(ledger, &ONCE).await;
        kept(ledger, async {
            connect(ledger, 1).woken.notified().await;
            ledger.desk().detach(LOGGER, 1);
            let order = connect(ledger, 2).takes(ledger).await;
            assert_eq!(order.id, once);
            // Nobody subscribes: it waits for the next attach.
            ledger.desk().told(LOGGER, once, 2, Told::NotTaken { why: "not_subscribed" });
            assert_eq!(reaches(ledger, once, State::Queued).await.interruptions, 0);
            assert_eq!(connect(ledger, 2).takes(ledger).await.id, once);
        })
        .await;
    });
}

#[test]
fn a_line_has_an_end_and_a_wrong_command_is_refused_with_its_place() {
    both(async |db| {
        let rig = with_logger(db).await;
        let commands = rig.ledger.commands();
        rig.ledger.desk().set_check(|command| match command {
            Command::Hj212SetRealTimeInterval { seconds: 0 } => {
                Err(Wrong { field: "seconds".into(), message: "write 30 to 3600".into() })
            }
            _ => Ok(()),
        });
        let wrong = Command::Hj212SetRealTimeInterval { seconds: 0 };
        let error = commands.order(&author(), LOGGER, &wrong, MINUTE).await.unwrap_err();
        assert!(error.to_string().ends_with("command.seconds: write 30 to 3600"), "{error}");
        let foreign = commands.order(&author(), LOGGER, &Command::Jt808LinkTest, MINUTE).await.unwrap_err();
        assert!(foreign.to_string().contains("the device speaks hj212"), "{foreign}");
        for _ in 0..OPEN_PER_DEVICE_MAX {
            ordered(&rig.ledger, &ASK).await;
        }
        let full = commands.order(&author(), LOGGER, &ASK, MINUTE).await.unwrap_err();
        assert!(matches!(full, LedgerError::Refused(why) if why.contains("32 commands waiting")));
    });
}

#[test]
fn the_deadline_is_the_clocks_and_a_person_may_end_a_command_at_any_time() {
    both(async |db| {
        let rig = with_logger(db).await;
        let ledger = &rig.ledger;
        let late = ordered(ledger, &ASK).await;
        kept(ledger, async {
            rig.clock.advance_ms(60_000);
            ledger.desk().poke();
            reaches(ledger, late, State::Expired).await;
            let (out, waits) = (ordered(ledger, &ONCE).await, ordered(ledger, &ASK).await);
            let line = connect(ledger, 1);
            line.takes(ledger).await;
            let row = ledger.commands().cancel(&author(), out).await.unwrap();
            assert_eq!((row.state, row.story.last().unwrap().why.as_str()), (State::Cancelled, "was_sent"));
            assert!(!ledger.desk().stands(out, 1));
            assert_eq!(line.takes(ledger).await.id, waits);
            let error = ledger.commands().cancel(&author(), out).await.unwrap_err();
            assert!(matches!(error, LedgerError::Refused("the command has ended already")));
        })
        .await;
    });
}

#[test]
fn a_new_password_is_sealed_and_becomes_the_credential_when_the_device_uses_it() {
    both(async |db| {
        let rig = with_logger(db.clone()).await;
        let ledger = &rig.ledger;
        let id = ordered(ledger, &Command::Hj212SetPassword { password: "654321".into() }).await;
        let row = ledger.commands().one(id).await.unwrap();
        assert!(!format!("{row:?}").contains("654321"));
        assert!(!format!("{:?}", ledger.audit().page(&AuditFilter::default()).await.unwrap()).contains("654321"));
        kept(ledger, async {
            assert!(!ledger.desk().password_taken(LOGGER, "654321"), "it was not sent");
            let line = connect(ledger, 1);
            assert_eq!(line.takes(ledger).await.command, Command::Hj212SetPassword { password: "654321".into() });
            ledger.desk().told(LOGGER, id, 1, Told::Sent { number: "Q".into() });
            ledger.desk().detach(LOGGER, 1);
            reaches(ledger, id, State::Unknown).await;
        })
        .await;
        // It is known in doubt also after a restart.
        let ledger = again(&rig, &db).await;
        kept(&ledger, async {
            let (mut directory, mut changes) = (ledger.directory().changes(), ledger.commands().changes());
            reaches(&ledger, id, State::Unknown).await;
            while !ledger.desk().password_taken(LOGGER, "654321") {
                assert!(!ledger.desk().password_taken(LOGGER, "654320"));
                tokio::task::yield_now().await;
            }
            directory.changed().await.unwrap();
            while changes.recv().await.unwrap().state != State::Done {}
            assert_eq!(ledger.commands().one(id).await.unwrap().state, State::Done);
            let admitted = ledger.directory().admit(Attempt::Hj212 { mn: "MN1", password: "654321" });
            assert!(matches!(admitted, Admission::Granted(_)));
            let admitted = ledger.directory().admit(Attempt::Hj212 { mn: "MN1", password: "123456" });
            assert!(matches!(admitted, Admission::WrongSecret));
        })
        .await;
    });
}

#[test]
fn another_process_may_order_and_a_device_that_asks_for_the_time_is_told_once_a_minute() {
    both(async |db| {
        let rig = with_logger(db.clone()).await;
        let ledger = &rig.ledger;
        let other = again(&rig, &db).await;
        kept(ledger, async {
            let line = connect(ledger, 1);
            let id = other.commands().order(&author(), LOGGER, &ASK, MINUTE).await.unwrap().id;
            ledger.desk().poke();
            assert_eq!(line.takes(ledger).await.id, id);
            for _ in 0..5 {
                ledger.desk().time_wanted(LOGGER);
            }
            ledger.desk().told(LOGGER, id, 1, done());
            let told = line.takes(ledger).await;
            assert_eq!(told.command, Command::Hj212SetTime { pol: None });
            ledger.desk().told(LOGGER, told.id, 1, done());
            reaches(ledger, told.id, State::Done).await;
            ledger.desk().time_wanted(LOGGER);
            let rows = ledger.commands().list(LOGGER, None, 50).await.unwrap();
            assert_eq!(rows.len(), 2);
            assert_eq!((rows[0].author.as_str(), rows[0].origin.as_str()), ("platform", "1013"));
        })
        .await;
    });
}
