//! What a person can do when a slave does not answer, or refuses.

use super::show::line;
use gateway::modbus::{Failure, exception_name};
use protocol::explain::Language;
use protocol::modbus::Block;
use std::fmt::Write;

/// What went wrong, and where to look, most likely first.
#[expect(clippy::too_many_lines, reason = "a table of words")]
pub(super) fn failure(failure: &Failure, address: &str, language: Language) -> String {
    let mut out = String::new();
    let (what, look): (&str, &[(&str, &str)]) = match failure {
        Failure::Connect(_) => (
            language.pick("连接不上", "not reached"),
            &[
                ("地址和端口是否正确，能否 ping 通", "the address and port, and whether it can be pinged"),
                (
                    "许多网关只接受一个连接：先停止其他主站或平台的轮询",
                    "many gateways take one client: stop the other master, or the platform's polling",
                ),
                (
                    "串口：用户是否在 dialout 组，端口是否被占用",
                    "a serial port: is the user in the group dialout, has another program opened it",
                ),
            ],
        ),
        Failure::Timeout => (
            language.pick("没有应答", "no answer"),
            &[
                ("单元号（从站地址）是否正确：用 --scan 1-16 找", "the unit (slave address): find it by --scan 1-16"),
                (
                    "RS-485 的 A、B 是否接反，设备是否上电",
                    "are A and B of the RS-485 line swapped, has the device power",
                ),
                ("波特率和校验位是否与设备一致", "the speed and parity: are they the device's"),
                (
                    "是 Modbus TCP 还是透传 RTU：换用 rtu+tcp:// 或去掉它再试",
                    "Modbus TCP or transparent RTU: try with rtu+tcp://, or without it",
                ),
                ("设备反应慢：加大 --timeout-ms", "a slow device: give it more by --timeout-ms"),
            ],
        ),
        Failure::Damaged(_) => (
            language.pick(
                "收到了字节，但不是完整的正确应答（CRC 错、长度错或来自别的单元）",
                "bytes came, but no whole answer: wrong check, wrong length, or another unit's",
            ),
            &[
                (
                    "波特率、校验位、停止位：不一致时收到的是乱码",
                    "speed, parity, stop bits: where they differ, noise comes",
                ),
                ("总线上是否有第二个主站", "is there a second master on the bus"),
                ("终端电阻和屏蔽接地", "termination and shielding"),
                ("对 Modbus TCP 设备误用了 rtu+tcp://", "a Modbus TCP device asked by rtu+tcp://"),
            ],
        ),
        Failure::Doubtful => (
            language.pick(
                "应答可能是上一问的迟到应答，不予采用",
                "the answer may be a late one to the question before; it is not taken",
            ),
            &[(
                "加大 --timeout-ms：设备或无线链路比它慢",
                "give more by --timeout-ms: the device or radio link is slower",
            )],
        ),
        Failure::Noisy => (
            language.pick("线路一直有数据，无法提问", "the line is never quiet, so no question can be put"),
            &[
                ("设备是否设为主动上报", "is the device set to send by itself"),
                ("是否有别的主站在问", "is another master asking"),
            ],
        ),
        Failure::Mismatch => (
            language
                .pick("应答的功能码、长度或事务号与所问不符", "an answer of another function, length or transaction"),
            &[("网关是否把多个主站的应答混在一起", "does the gateway mix the answers of several masters")],
        ),
        Failure::Transport => (
            language.pick("连接中断", "the connection broke"),
            &[
                ("网关可能一次只接受一个连接", "the gateway may take one client at a time"),
                (
                    "在非 Modbus TCP 的端口上用了 Modbus TCP：试 rtu+tcp://",
                    "Modbus TCP on a port that is none: try rtu+tcp://",
                ),
            ],
        ),
        Failure::Unreachable(code) | Failure::Refused(code) => {
            line(&mut out, &format!("{} {code} {}", language.pick("异常", "exception"), exception_name(*code)));
            (
                language.pick("网关说到不了这个从站", "the gateway does not reach the slave"),
                &[
                    ("网关后面的 RS-485 接线和波特率", "the RS-485 line behind the gateway, and its speed"),
                    ("单元号是否正确", "the unit"),
                ],
            )
        }
    };
    line(&mut out, &format!("✗ {what}  [{}]  {address}", failure.code()));
    if let Failure::Damaged(bytes) = failure {
        let hex = bytes.iter().take(48).fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02X} ").ok(); // a String takes everything
            text
        });
        line(&mut out, &format!("  {} {hex}", language.pick("收到：", "received:")));
    }
    for (zh, en) in look {
        line(&mut out, &format!("  - {}", language.pick(zh, en)));
    }
    out
}

/// The slave's own refusal, by name.
pub(super) fn exception(code: u8, block: Block, language: Language) -> String {
    let mut out = String::new();
    let (meaning, look) = match code {
        1 => (
            language.pick("不支持的功能码", "it does not know this function"),
            language.pick(
                "换功能码再试：3 保持寄存器、4 输入寄存器",
                "try the other: 3 holding registers, 4 input registers",
            ),
        ),
        2 => (
            language.pick("没有这个地址", "it has no such address"),
            language.pick(
                "说明书的地址从 0 还是从 1 数？40001 对应地址 0；或减少个数，有的设备不许跨空洞读",
                "does the manual count from 0 or from 1? 40001 is address 0; or ask for fewer, some allow no holes",
            ),
        ),
        3 => (
            language.pick("数值不合法（多半是个数太多）", "an illegal value, mostly too many registers"),
            language.pick("减少个数；型号里写 max_registers", "ask for fewer; the device's poll has max_registers"),
        ),
        4 => {
            (language.pick("设备内部故障", "the device has failed"), language.pick("看设备自检", "look at the device"))
        }
        5 | 6 => (
            language.pick("设备忙", "it is busy"),
            language.pick(
                "稍后再问；轮询设置 busy_retries 和 busy_wait_ms",
                "ask later; the poll has busy_retries and busy_wait_ms",
            ),
        ),
        _ => (exception_name(code), language.pick("看设备说明书", "look at the device's manual")),
    };
    line(
        &mut out,
        &format!(
            "✗ {} {code} {} — {meaning}",
            language.pick("从站拒绝：异常", "refused: exception"),
            exception_name(code)
        ),
    );
    line(&mut out, &format!("  - {look}  ({:?} {} +{})", block.function, block.address, block.count));
    out
}
