//! Each problem in words: what is wrong, what an installer should do about it, and whether a device at strictness *reject*
//! is refused for it.

use super::problem::ProblemCode;
use crate::explain::Label;

struct Words {
    text: Label,
    advice: Label,
}

const fn words(zh: &'static str, en: &'static str, advice_zh: &'static str, advice_en: &'static str) -> Words {
    Words { text: Label { zh, en }, advice: Label { zh: advice_zh, en: advice_en } }
}

impl ProblemCode {
    /// What is wrong.
    pub const fn text(self) -> Label {
        self.words().text
    }

    /// What to look for at the device.
    pub const fn advice(self) -> Label {
        self.words().advice
    }

    /// Whether the frame is refused at strictness *reject*: its length or check is wrong, or it names no device.
    pub const fn is_fatal(self) -> bool {
        matches!(
            self,
            Self::LengthMissing
                | Self::LengthWrong
                | Self::LengthOffByOne
                | Self::LengthCountsCheck
                | Self::LengthCountsLineEnd
                | Self::LengthCountsAll
                | Self::LengthWithoutEnd
                | Self::CheckMissing
                | Self::CheckNotHex
                | Self::CheckShort
                | Self::CheckPlaceholder
                | Self::CheckModbus
                | Self::CheckModbusSwapped
                | Self::CheckSwapped
                | Self::CheckWithoutEnd
                | Self::CheckOtherAlgorithm
                | Self::CheckWrong
                | Self::MnMissing
                | Self::MnEmpty
        )
    }

    #[rustfmt::skip]
    const fn words(self) -> Words {
        match self {
            Self::LengthMissing => words("## 后没有长度", "no length behind ##", "包头应为 ## 加 4 位十进制数据段长度", "a frame begins with ## and four decimal digits"),
            Self::LengthWrong => words("长度与数据段不符", "the length is not the segment's", "长度是否沿用了上一包或修改前的内容？应按本包数据段重新计算", "stale length? It must be counted anew for each segment"),
            Self::LengthOffByOne => words("长度差 1", "the length is off by one", "检查长度计算的起止：从 QN 的第一个字节到最后的 &&", "count from the first byte of QN through the last &&"),
            Self::LengthCountsCheck => words("长度多 4：计入了校验", "four too many: the length counts the CRC", "长度只计数据段，不计 4 位 CRC", "the length counts the segment alone, not the CRC"),
            Self::LengthCountsLineEnd => words("长度多 6：计入了校验和回车换行", "six too many: the length counts the CRC and CR LF", "长度只计数据段，不计 CRC 和包尾", "the length counts the segment alone, not CRC and line end"),
            Self::LengthCountsAll => words("长度计入了整包", "the length counts the whole frame", "长度只计数据段，不计包头、长度、CRC 和包尾", "the length counts the segment alone"),
            Self::LengthWithoutEnd => words("长度少 2：未计结尾的 &&", "two too few: the closing && is not counted", "数据段包括结尾的 &&", "the closing && belongs to the segment"),
            Self::LengthDigits => words("长度不是 4 位数字", "the length has not four digits", "长度固定 4 位十进制，不足补 0", "four decimal digits, padded with zeros"),
            Self::CheckMissing => words("没有校验", "no check", "数据段后应有 4 位十六进制 CRC", "four hex digits follow the segment"),
            Self::CheckNotHex => words("校验不是十六进制", "the check is not hex", "CRC 应为 4 位大写十六进制字符", "four hex digits, upper case"),
            Self::CheckShort => words("校验不足 4 位", "fewer than four check digits", "CRC 高位的 0 不能省略", "leading zeros must not be left out"),
            Self::CheckPlaceholder => words("校验为占位符，未计算", "a placeholder stands for the check", "设备固件未计算 CRC，请升级或打开校验", "the firmware computes no CRC; update it or switch the check on"),
            Self::CheckLowerCase => words("校验为小写", "the check is in lower case", "标准用大写字母；不影响接收", "the standard writes upper case; it is read all the same"),
            Self::CheckModbus => words("像是 Modbus CRC", "this is a Modbus CRC", "HJ 212 的 CRC 不是 Modbus CRC：先取寄存器高字节再异或（附录 A）", "HJ 212's check is not Modbus's: the register is shifted right by eight before the byte is added (annex A)"),
            Self::CheckModbusSwapped => words("像是高低字节对调的 Modbus CRC", "this is a Modbus CRC with its bytes swapped", "改用附录 A 的算法，高字节在前", "use the algorithm of annex A, high byte first"),
            Self::CheckSwapped => words("校验高低字节对调", "the check's bytes are swapped", "高字节在前", "the high byte comes first"),
            Self::CheckWithoutEnd => words("校验未计入结尾的 &&", "the check leaves out the closing &&", "CRC 应计算到结尾的 &&", "the check covers the closing && too"),
            Self::CheckOtherAlgorithm => words("此值不可能由标准算法算出", "the standard's algorithm cannot give this value", "设备用了别的校验算法，请按附录 A 核对", "the device uses another algorithm; compare with annex A"),
            Self::CheckWrong => words("校验错误", "the check is wrong", "传输损坏，或转发平台改动过内容；若每包如此，请核对算法", "damaged on the way, or changed by a forwarder; if every frame is so, look at the algorithm"),
            Self::SegmentLong => words("数据段超过 1024 字节", "the segment is longer than 1024 bytes", "请分包（PNUM、PNO）", "split the message (PNUM, PNO)"),
            Self::EndMissing => words("缺少结尾的 &&", "the closing && is missing", "转发平台是否去掉了 &&？", "did a forwarder drop it?"),
            Self::CpMissing => words("没有 CP", "no CP", "数据区应写作 CP=&&…&&", "data stand in CP=&&…&&"),
            Self::NotUtf8 => words("不是 UTF-8，按 GBK 读取", "not UTF-8, read as GBK", "2017 版中文用 UTF-8", "Chinese is UTF-8 since 2017"),
            Self::QnMissing => words("没有 QN", "no QN", "缺少请求编码时应答无法对应", "without a number an answer cannot be matched"),
            Self::QnInCp => words("QN 写在 CP 里", "QN stands inside CP", "QN 应在数据段开头", "QN belongs to the head"),
            Self::QnDigits => words("QN 不是 17 位数字", "QN has not 17 digits", "格式 YYYYMMDDhhmmsszzz，精确到毫秒", "YYYYMMDDhhmmsszzz, to the millisecond"),
            Self::QnEpoch => words("QN 是 1970 年起的时间戳", "QN counts from 1970", "格式 YYYYMMDDhhmmsszzz", "write YYYYMMDDhhmmsszzz"),
            Self::QnSuffix => words("QN 后带有多余字符", "characters behind QN's digits", "去掉时区等后缀", "leave out the zone"),
            Self::QnNoDate => words("QN 不是实际存在的时间", "QN is a time that does not exist", "检查设备时钟", "look at the device's clock"),
            Self::StMissing => words("没有 ST", "no ST", "应有系统编码，如 22、39、51", "the system's code is missing: 22, 39, 51 …"),
            Self::CnMissing => words("没有 CN", "no CN", "应有命令编码", "the command's number is missing"),
            Self::PwMissing => words("没有 PW", "no PW", "应有访问密码", "the password is missing"),
            Self::PwEmpty => words("PW 为空", "PW is empty", "在设备上设置访问密码", "set the password at the device"),
            Self::MnMissing => words("没有 MN", "no MN", "在设备上设置 MN", "set the MN at the device"),
            Self::MnEmpty => words("MN 为空", "MN is empty", "在设备上设置 MN", "set the MN at the device"),
            Self::FlagMissing => words("没有 Flag", "no Flag", "无 Flag 时按 2005 版处理，不应答", "read as 2005 and not answered"),
            Self::FlagNotNumber => words("Flag 不是数字", "Flag is no number", "Flag 为 0–255 的十进制数", "a decimal number from 0 to 255"),
            Self::KeyCase => words("字段名大小写不符", "a key in the wrong case", "按标准书写，如 Flag、DataTime", "write it as the standard does: Flag, DataTime"),
            Self::CommaInHead => words("包头字段间出现逗号", "a comma between head fields", "包头字段只用分号", "head fields are parted by semicolons"),
            Self::BareFlag => words("Flag 没有污染物编码", "a flag that belongs to no factor", "应写作 编码-Flag=N，与数值同组用逗号分隔", "write code-Flag=N, with a comma behind its value"),
            Self::TrailingSemicolon => words("&& 前有多余分号", "a semicolon before &&", "去掉最后的分号", "leave out the last semicolon"),
            Self::NoValue => words("字段没有值", "a field without =", "应为 字段=值", "a field is key=value"),
            Self::DataTimeMissing => words("没有 DataTime", "no DataTime", "监测数据应带 DataTime", "data carry a DataTime"),
            Self::DataTimeDigits => words("DataTime 不是 14 位数字", "DataTime has not 14 digits", "格式 YYYYMMDDhhmmss", "YYYYMMDDhhmmss"),
            Self::DataTimeNoDate => words("DataTime 不是实际存在的时间", "DataTime is a time that does not exist", "检查设备时钟", "look at the device's clock"),
            Self::DataTimeTwice => words("DataTime 出现两次，只取第一个", "DataTime is there twice; the first is taken", "一包只写一个 DataTime，不同时刻分包上报", "one DataTime a frame; another moment is another frame"),
            Self::DuplicateFactor => words("同一因子的数值或标记出现两次，只取第一个", "a value or flag of one factor is there twice; the first is taken", "每个因子每包只写一次；两台仪器请用不同的编码", "write each factor once; two instruments have two codes"),
            Self::FlagUnknown => words("未知的数据标记，数值不参与判定", "a flag of no edition; its value counts toward nothing", "数据标记用 N F M S D C T B 之一", "one of N F M S D C T B"),
            Self::StatisticForCommand => words("统计类型与命令不符", "a statistic that does not go with the command", "2011 用 -Rtd；2051、2061、2031 用 -Avg、-Min、-Max", "2011 carries -Rtd; 2051, 2061, 2031 carry -Avg, -Min, -Max"),
            Self::SuffixRepeated => words("后缀重复", "a suffix written twice", "如 LA-Rtd-Rtd 应为 LA-Rtd", "LA-Rtd-Rtd means LA-Rtd"),
            Self::HeadKeyUnknown => words("包头有未知字段", "an unknown head field", "是否为厂商登记包？", "a vendor's register frame?"),
            Self::TooManyFields => words("字段过多，其余未读", "too many fields; the rest is not read", "请分包（PNUM、PNO）", "split the message (PNUM, PNO)"),
            Self::PacketNumbersMissing => words("拆分包缺少 PNUM 或 PNO", "a split message without PNUM or PNO", "Flag 的 D 位为 1 时应带 PNUM 和 PNO；未拆分时应为 0", "bit D of Flag announces PNUM and PNO; a whole message clears it"),
            Self::PacketNumbersWrong => words("包号不合理", "packet numbers that make no sense", "PNO 从 1 到 PNUM", "PNO runs from 1 to PNUM"),
            Self::PacketFlagMissing => words("有 PNUM、PNO 但 Flag 的 D 位为 0", "PNUM and PNO without bit D of Flag", "拆分包的 Flag 应置 D 位（2017 版为 6 或 7）", "Flag of a packet has bit D set (6 or 7 in 2017)"),
            Self::LineEndOdd => words("包尾不是回车换行", "the line does not end with CR LF", "包尾应为 CR LF；不影响接收", "a frame ends with CR LF; it is read all the same"),
            Self::LineEndMissing => words("没有包尾", "no line end", "包尾应为 CR LF；长度和校验正确时不影响接收", "a frame ends with CR LF; with the right length and check it is read all the same"),
            Self::BytesBefore => words("## 前有多余字节", "bytes before ##", "上一包不完整，或 DTU 注册包、心跳", "the end of a cut frame, or a modem's registration or heartbeat"),
            Self::BytesBehind => words("包后还有字节", "bytes behind the frame", "可能是下一包", "perhaps the next frame"),
            Self::CnUnknown => words("未知命令", "an unknown command", "厂商自定义命令：保存原文，按要求应答", "a vendor's own: it is kept as it came and answered if it asks"),
            Self::StUnknown => words("未知系统编码", "an unknown system", "A0–Z9 为自定义；其余请核对", "A0–Z9 are free; compare others with the standard"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_problem_has_words_in_both_languages_and_a_name_of_its_own() {
        let mut names = HashSet::new();
        for code in ProblemCode::ALL {
            let (text, advice) = (code.text(), code.advice());
            for words in [text.zh, text.en, advice.zh, advice.en] {
                assert!(!words.is_empty(), "{code:?}");
            }
            assert!(names.insert(code.code()), "{code:?}");
        }
    }
}
