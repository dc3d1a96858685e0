//! The lab as master of a Modbus slave, over TCP or RTU over TCP: polls it, asks what it must refuse, cuts and comes back. Pure;
//! the connection is `listen`'s.

use super::book::{Book, Finding, Protocol};
use super::desk::{Action, Shown, say};
use super::trial::Pace;
use protocol::explain::{Direction, Explained};
use protocol::modbus::crc16;
use protocol::modbus::explain::{Wrap, exception, explain};

/// Whom to poll, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub wrap: Wrap,
    /// `host:port`
    pub address: String,
    pub unit: u8,
    pub function: u8,
    /// From 0.
    pub register: u16,
    pub count: u16,
}

impl Target {
    /// `tcp://host:port` or `rtu://host:port`, and `function:register:count`.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn parse(address: &str, unit: u8, registers: &str) -> Result<Self, String> {
        let (wrap, address) = match address.split_once("://") {
            Some(("tcp", rest)) => (Wrap::Tcp, rest),
            Some(("rtu", rest)) => (Wrap::Rtu, rest),
            _ => return Err(format!("{address:?} is neither tcp://HOST:PORT nor rtu://HOST:PORT")),
        };
        let mut parts = registers.split(':').map(str::parse::<u16>);
        let (Some(Ok(function)), Some(Ok(register)), Some(Ok(count)), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(format!("{registers:?} is not FUNCTION:REGISTER:COUNT, as in 3:0:6"));
        };
        let most = if function <= 2 { 2000 } else { 125 };
        if !(1..=4).contains(&function) || !(1..=most).contains(&count) || register.checked_add(count - 1).is_none() {
            return Err(format!("{registers:?}: functions 1 to 4, at most {most} of them"));
        }
        let function = u8::try_from(function).unwrap_or(3);
        Ok(Self { wrap, address: address.to_owned(), unit, function, register, count })
    }
}

/// What is asked next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Read(u32),
    BadAddress,
    BadFunction,
    OtherUnit,
    Cut,
    Steady,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    Ask(Vec<u8>),
    /// Close, and connect again.
    Cut,
}

#[derive(Debug)]
pub struct Master {
    pub target: Target,
    pub book: Book,
    step: Step,
    active: bool,
    transaction: u16,
    asked: Vec<u8>,
    polls: u64,
    lost: u64,
    all_same: bool,
    link: u64,
    cut: bool,
}

/// Reads before the first test.
const WARM: u32 = 3;
/// Polls after which a loss is a rate.
const STEADY_POLLS: u64 = 10;
/// Far behind what instruments have.
const FAR_REGISTER: u16 = 0xFFF0;
const USER_FUNCTION: u8 = 0x41;

impl Master {
    pub fn new(target: Target, pace: Option<Pace>) -> Self {
        let book = Book::new(Protocol::Modbus, &format!("{}/{}", target.address, target.unit));
        Self {
            target,
            book,
            step: Step::Read(0),
            active: pace.is_some(),
            transaction: 0,
            asked: Vec::new(),
            polls: 0,
            lost: 0,
            all_same: true,
            link: 0,
            cut: false,
        }
    }

    pub const fn is_done(&self) -> bool {
        matches!(self.step, Step::Steady)
    }

    pub fn connected(&mut self) {
        self.link += 1;
        self.book.connections += 1;
        self.book.kept("connect");
        if self.cut {
            self.book.kept("reconnect");
        }
    }

    /// No connection within the time.
    pub fn unreachable(&mut self, why: &str) {
        let (check, code) = if self.cut { ("reconnect", "did_not_return") } else { ("connect", "refused") };
        self.book.found(Finding::new(check, code, "无法连接", "it cannot be connected to").detail(why));
    }

    pub fn turn(&mut self, now: i64, out: &mut Vec<Action>) -> Turn {
        let Target { unit, function, register, count, .. } = self.target;
        let read = |function: u8, register: u16, count: u16| {
            let mut pdu = vec![function];
            pdu.extend(register.to_be_bytes());
            pdu.extend(count.to_be_bytes());
            pdu
        };
        let (unit, pdu) = match self.step {
            Step::Read(_) | Step::Steady => (unit, read(function, register, count)),
            Step::BadAddress => {
                out.push(say("试验：读取不存在的地址", "test: an address that is not there is read"));
                (unit, read(function, FAR_REGISTER, 4))
            }
            Step::BadFunction => {
                out.push(say("试验：请求不支持的功能", "test: a function it has not is asked for"));
                (unit, vec![USER_FUNCTION])
            }
            Step::OtherUnit => {
                out.push(say("试验：询问另一个从站", "test: another unit is asked"));
                (other(unit), read(function, register, count))
            }
            Step::Cut => {
                out.push(say("试验：断开后重新连接", "test: the connection is cut and made again"));
                self.cut = true;
                self.step = Step::Steady;
                return Turn::Cut;
            }
        };
        self.transaction = self.transaction.wrapping_add(1);
        let mut bytes = Vec::new();
        if self.target.wrap == Wrap::Tcp {
            bytes.extend(self.transaction.to_be_bytes());
            bytes.extend([0, 0]);
            bytes.extend(u16::try_from(pdu.len() + 1).unwrap_or(0).to_be_bytes());
        }
        bytes.push(unit);
        bytes.extend(pdu);
        if self.target.wrap == Wrap::Rtu {
            bytes.extend(crc16(&bytes).to_le_bytes());
        }
        self.asked.clone_from(&bytes);
        self.book.frames_down += 1;
        self.show(&bytes, false, now, Vec::new(), out);
        Turn::Ask(bytes)
    }

    /// How many bytes the answer has, once enough of it is there.
    pub fn answer_len(&self, bytes: &[u8]) -> Option<usize> {
        match self.target.wrap {
            Wrap::Tcp => {
                let [_, _, _, _, high, low, ..] = bytes else { return None };
                Some(6 + usize::from(u16::from_be_bytes([*high, *low])))
            }
            Wrap::Rtu => match bytes {
                [_, function, ..] if function & 0x80 != 0 => Some(5),
                [_, 1..=4, count, ..] => Some(5 + usize::from(*count)),
                [_, _, _, ..] => Some(8),
                _ => None,
            },
        }
    }

    /// What came within the time; empty: nothing did.
    pub fn answered(&mut self, bytes: &[u8], now: i64, out: &mut Vec<Action>) {
        let mut new = Vec::new();
        let step = self.step;
        if bytes.is_empty() {
            self.silent(step, &mut new);
        } else {
            self.book.frames_up += 1;
            self.look(bytes, step, &mut new);
        }
        if !bytes.is_empty() {
            self.show(bytes, true, now, new, out);
        }
        self.step = match step {
            Step::Read(done) if done + 1 < WARM => Step::Read(done + 1),
            Step::Read(_) if self.active => Step::BadAddress,
            Step::Read(_) | Step::Steady | Step::Cut => Step::Steady,
            Step::BadAddress => Step::BadFunction,
            Step::BadFunction => Step::OtherUnit,
            Step::OtherUnit => Step::Cut,
        };
    }

    fn silent(&mut self, step: Step, new: &mut Vec<Finding>) {
        match step {
            Step::Read(_) => {
                let text = Finding::new("answer", "no_answer", "没有应答", "no answer");
                self.add(
                    text.advise("检查从站地址、波特率、接线与功能码", "look at unit, baud rate, wiring and function"),
                    new,
                );
            }
            Step::Steady => {
                self.polls += 1;
                self.lost += 1;
                self.judge_steady();
            }
            Step::BadAddress => {
                let text = Finding::new(
                    "bad_address",
                    "no_answer",
                    "越界地址没有应答，轮询端会误判为掉线",
                    "silence at an address that is not there: a poller takes it for dead",
                );
                self.add(text.advise("以异常码 02 应答", "answer with exception 02"), new);
            }
            Step::BadFunction => {
                let text = Finding::new(
                    "bad_function",
                    "no_answer",
                    "不支持的功能没有应答",
                    "silence at a function it has not",
                );
                self.add(text.should().advise("以异常码 01 应答", "answer with exception 01"), new);
            }
            Step::OtherUnit => self.book.kept("other_unit"),
            Step::Cut => {}
        }
    }

    fn look(&mut self, bytes: &[u8], step: Step, new: &mut Vec<Finding>) {
        let explanation = explain(bytes, self.target.wrap, Some(Direction::Up));
        let mut frame_ok = true;
        for (place, trouble) in explanation.all_troubles() {
            let check = if trouble.code == "check_bad" { "check" } else { "frame" };
            frame_ok &= check != "frame";
            let text = Finding::new(check, trouble.code, trouble.text.zh, trouble.text.en);
            self.add(text.at(place).detail(trouble.detail.clone()), new);
        }
        if frame_ok {
            self.book.kept("frame");
        }
        let at = if self.target.wrap == Wrap::Tcp { 6 } else { 0 };
        if self.target.wrap == Wrap::Tcp {
            if bytes.get(..2) == self.asked.get(..2) {
                self.book.kept("check");
            } else {
                let text = Finding::new(
                    "check",
                    "transaction_wrong",
                    "事务标识与请求不同",
                    "another transaction than the request's",
                );
                self.add(text.at(Some((0, 2))), new);
            }
        } else if explanation.all_troubles().all(|(_, trouble)| trouble.code != "check_bad") {
            self.book.kept("check");
        }
        let (unit, function) = (bytes.get(at).copied().unwrap_or(0), bytes.get(at + 1).copied().unwrap_or(0));
        let (asked_unit, asked_function) =
            (self.asked.get(at).copied().unwrap_or(0), self.asked.get(at + 1).copied().unwrap_or(0));
        if unit == asked_unit {
            self.book.kept("unit");
        } else {
            let text = Finding::new("unit", "unit_wrong", "应答的从站地址与请求不同", "an answer of another unit");
            self.add(text.at(Some((at, 1))).detail(format!("{asked_unit} expected, {unit} found")), new);
        }
        if function & 0x7f == asked_function {
            self.book.kept("function");
        } else {
            let text =
                Finding::new("function", "function_wrong", "应答的功能码与请求不同", "an answer of another function");
            self.add(text.at(Some((at + 1, 1))).detail(format!("{asked_function} expected, {function} found")), new);
        }
        let refused = (function & 0x80 != 0).then(|| bytes.get(at + 2).copied().unwrap_or(0));
        self.judge(step, refused, at, bytes, new);
    }

    fn judge(&mut self, step: Step, refused: Option<u8>, at: usize, bytes: &[u8], new: &mut Vec<Finding>) {
        let code_place = Some((at + 2, 1));
        match (step, refused) {
            (Step::Read(_), Some(code)) => {
                let text = Finding::new("answer", "read_refused", "读取被拒绝", "the read was refused");
                let detail = format!("{code} {} / {}", exception(code).zh, exception(code).en);
                self.add(
                    text.at(code_place)
                        .detail(detail)
                        .advise("核对寄存器地址是否从 0 起", "does the manual count registers from 1?"),
                    new,
                );
            }
            (Step::Read(_) | Step::Steady, None) => {
                self.book.kept("answer");
                let data = bytes.get(at + 3..).unwrap_or_default();
                let data = if self.target.wrap == Wrap::Rtu {
                    data.get(..data.len().saturating_sub(2)).unwrap_or_default()
                } else {
                    data
                };
                let dull = data.iter().all(|byte| *byte == 0) || data.iter().all(|byte| *byte == 0xff);
                if dull {
                    if self.all_same && step == Step::Read(WARM - 1) {
                        let text = Finding::new(
                            "value",
                            "all_same",
                            "寄存器全为 0 或 FFFF，地址或映射可能不对",
                            "all registers are 0 or FFFF: is the map right?",
                        );
                        self.add(text.should().at(Some((at + 3, data.len()))), new);
                    }
                } else {
                    self.all_same = false;
                    self.book.kept("value");
                }
                if step == Step::Steady {
                    self.polls += 1;
                    self.judge_steady();
                }
            }
            (Step::Steady, Some(_)) => {
                self.polls += 1;
                self.lost += 1;
                self.judge_steady();
            }
            (Step::BadAddress, Some(2)) | (Step::BadFunction, Some(1)) => {
                self.book.kept(if step == Step::BadAddress { "bad_address" } else { "bad_function" });
            }
            (Step::BadAddress | Step::BadFunction, Some(code)) => {
                let check = if step == Step::BadAddress { "bad_address" } else { "bad_function" };
                let text = Finding::new(check, "other_code", "以其他异常码拒绝", "refused with another code");
                self.add(text.should().at(code_place).detail(code.to_string()), new);
                self.book.kept(check);
            }
            (Step::BadAddress, None) => {
                let text = Finding::new(
                    "bad_address",
                    "data_for_nothing",
                    "不存在的地址也返回了数据",
                    "data for an address that is not there",
                );
                self.add(text.should().at(Some((at + 1, 1))), new);
                self.book.kept("bad_address");
            }
            (Step::BadFunction, None) => {
                let text = Finding::new(
                    "bad_function",
                    "data_for_nothing",
                    "不支持的功能也返回了数据",
                    "data for a function that is none",
                );
                self.add(text.should().at(Some((at + 1, 1))), new);
            }
            (Step::OtherUnit, Some(_)) => self.book.kept("other_unit"),
            (Step::OtherUnit, None) => {
                let text =
                    Finding::new("other_unit", "answers_for_others", "代替其他从站返回了数据", "data for another unit");
                self.add(
                    text.should()
                        .at(Some((at, 1)))
                        .advise("总线上有多台从站时会混淆", "on a bus with several units they get mixed up"),
                    new,
                );
            }
            (Step::Cut, _) => {}
        }
    }

    fn judge_steady(&mut self) {
        if self.polls < STEADY_POLLS {
            return;
        }
        self.book.note(
            "steady",
            format!("{} 次轮询，丢失 {}", self.polls, self.lost),
            format!("{} polls, {} lost", self.polls, self.lost),
        );
        if self.lost * 50 > self.polls {
            let text = Finding::new("steady", "polls_lost", "轮询有丢失", "polls were lost");
            self.book.found(text.detail(format!("{} / {}", self.lost, self.polls)));
        } else {
            self.book.kept("steady");
        }
    }

    fn add(&mut self, finding: Finding, new: &mut Vec<Finding>) {
        if self.book.found(finding.clone()) {
            new.push(finding);
        }
    }

    fn show(&self, bytes: &[u8], up: bool, at_ms: i64, findings: Vec<Finding>, out: &mut Vec<Action>) {
        let direction = if up { Direction::Up } else { Direction::Down };
        let explained =
            Explained { explanation: explain(bytes, self.target.wrap, Some(direction)), plain: bytes.to_vec() };
        let number = if up { self.book.frames_up } else { self.book.frames_down };
        out.push(Action::Show(Box::new(Shown {
            protocol: Protocol::Modbus,
            link: self.link,
            device: self.book.identity.clone(),
            up,
            number,
            at_ms,
            explained,
            findings,
            wire: bytes.to_vec(),
        })));
    }
}

/// A unit that is not this one.
const fn other(unit: u8) -> u8 {
    if unit == 247 { 246 } else { 247 }
}

#[cfg(test)]
mod tests {
    use super::super::book::Status;
    use super::*;

    fn master(wrap: &str) -> Master {
        let target = Target::parse(&format!("{wrap}://127.0.0.1:502"), 1, "3:0:2").unwrap();
        let mut master = Master::new(target, Some(Pace::default()));
        master.connected();
        master
    }

    fn wrap(asked: &[u8], tcp: bool, unit: u8, pdu: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        if tcp {
            out.extend_from_slice(&asked[..2]);
            out.extend([0, 0]);
            out.extend(u16::try_from(pdu.len() + 1).unwrap().to_be_bytes());
        }
        out.push(unit);
        out.extend_from_slice(pdu);
        if !tcp {
            let crc = crc16(&out);
            out.extend(crc.to_le_bytes());
        }
        out
    }

    fn run(master: &mut Master, mut slave: impl FnMut(&[u8]) -> Vec<u8>) {
        for _ in 0..30 {
            match master.turn(0, &mut Vec::new()) {
                Turn::Ask(asked) => {
                    let answer = slave(&asked);
                    if !answer.is_empty() {
                        assert_eq!(master.answer_len(&answer), Some(answer.len()), "{answer:02x?}");
                    }
                    master.answered(&answer, 0, &mut Vec::new());
                }
                Turn::Cut => master.connected(),
            }
        }
    }

    fn good(tcp: bool) -> impl FnMut(&[u8]) -> Vec<u8> {
        move |asked| {
            let at = if tcp { 6 } else { 0 };
            let (unit, function) = (asked[at], asked[at + 1]);
            match (unit, function, &asked[at + 2..]) {
                (1, 3, [0, 0, ..]) => wrap(asked, tcp, 1, &[3, 4, 0, 1, 0, 0x42]),
                (1, 3, _) => wrap(asked, tcp, 1, &[0x83, 2]),
                (1, function, _) => wrap(asked, tcp, 1, &[function | 0x80, 1]),
                _ => Vec::new(),
            }
        }
    }

    #[test]
    fn a_good_slave_passes_over_tcp_and_rtu() {
        for tcp in [true, false] {
            let mut master = master(if tcp { "tcp" } else { "rtu" });
            run(&mut master, good(tcp));
            let open: Vec<_> =
                master.book.checks().filter(|(_, s)| *s != Status::Pass).map(|(c, s)| (c.id, s)).collect();
            assert_eq!(open, [], "{tcp} {:?}", master.book.findings());
            assert!(master.is_done());
        }
    }

    #[test]
    fn each_fault_is_found_at_its_byte() {
        type Change = fn(&mut Vec<u8>);
        let cases: [(&str, Change, &str, &str, usize); 6] = [
            (
                "rtu",
                |b| {
                    let n = b.len();
                    b.swap(n - 1, n - 2);
                },
                "check",
                "check_bad",
                7,
            ),
            ("tcp", |b| b[1] ^= 1, "check", "transaction_wrong", 0),
            ("tcp", |b| b[2] = 9, "frame", "protocol_not_zero", 2),
            ("tcp", |b| b[8] = 9, "frame", "count_bad", 8),
            ("tcp", |b| b[6] = 9, "unit", "unit_wrong", 6),
            ("tcp", |b| b[7] = 4, "function", "function_wrong", 7),
        ];
        for (wrap, change, check, code, at) in cases {
            let mut master = master(wrap);
            let mut slave = good(wrap == "tcp");
            let Turn::Ask(asked) = master.turn(0, &mut Vec::new()) else { panic!() };
            let mut answer = slave(&asked);
            change(&mut answer);
            master.answered(&answer, 0, &mut Vec::new());
            let found: Vec<_> =
                master.book.findings().iter().map(|f| (f.check, f.code, f.place.map(|p| p.0))).collect();
            assert!(found.contains(&(check, code, Some(at))), "{found:?}");
            assert_eq!(master.book.status(check), Status::Fail);
        }
    }

    #[test]
    fn a_dead_slave_and_one_that_says_nothing_to_a_wrong_address_fail() {
        let mut dead = master("tcp");
        run(&mut dead, |_| Vec::new());
        assert_eq!((dead.book.status("answer"), dead.book.status("bad_address")), (Status::Fail, Status::Fail));
        assert_eq!(dead.book.status("steady"), Status::Fail);
        dead.unreachable("refused");
        assert_eq!(dead.book.status("reconnect"), Status::Fail);
    }

    #[test]
    fn a_target_says_what_is_wrong_with_it() {
        assert!(Target::parse("127.0.0.1:502", 1, "3:0:2").is_err());
        assert!(Target::parse("tcp://a:1", 1, "3:0").is_err());
        assert!(Target::parse("tcp://a:1", 1, "3:0:126").is_err());
        assert!(Target::parse("tcp://a:1", 1, "3:65535:2").is_err());
        assert_eq!(Target::parse("rtu://a:1", 1, "4:10:2").unwrap().wrap, Wrap::Rtu);
    }
}
