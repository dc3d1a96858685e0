//! Attachments of active-safety alarms (Su-biao and Yue-biao): the order 0x9208, then on a second connection 0x1210,
//! 0x1211, 0x1212 and 0x9212 around the raw stream that [`super::AttachmentFramer`] reads.
//!
//! An alarm's number has 16 bytes with Su-biao and 40 with Yue-biao; which it is follows from lengths, not from the header.

use super::field::{Field, bytes, field, names, text, time};
use super::header::Version;
use super::source::{B, Body, Codec, Len, List, Nested, Num, Source, layout, padded};
use crate::error::WireError;

/// Whose layout a body has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmForm {
    /// T/JSATL 12-2017.
    SuBiao,
    /// T/GDRTA 002-2020.
    YueBiao,
}

impl AlarmForm {
    /// Bytes of the terminal's id, of the reserve, of the whole number.
    pub const fn widths(self) -> (usize, usize, usize) {
        match self {
            Self::SuBiao => (7, 1, 16),
            Self::YueBiao => (30, 2, 40),
        }
    }
}

/// What names an alarm: in items 0x64 – 0x67 and in the messages about its attachments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlarmId<'a> {
    pub form: AlarmForm,
    pub terminal: &'a [u8],
    pub time_bcd: [u8; 6],
    /// Among the alarms of one second.
    pub number: u8,
    pub attachments: u8,
    pub reserve: &'a [u8],
}

impl<'a> AlarmId<'a> {
    /// As it is on the wire: 16 or 40 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.form.widths().2);
        self.write_form(&mut bytes);
        bytes
    }

    /// What [`AlarmId::to_bytes`] gave; `None` for another length.
    pub fn of_bytes(bytes: &'a [u8]) -> Option<Self> {
        let form = [AlarmForm::SuBiao, AlarmForm::YueBiao].into_iter().find(|form| form.widths().2 == bytes.len())?;
        let (terminal, rest) = bytes.split_at_checked(form.widths().0)?;
        let (time_bcd, rest) = rest.split_first_chunk()?;
        let ([number, attachments], reserve) = rest.split_first_chunk()?;
        Some(Self { form, terminal, time_bcd: *time_bcd, number: *number, attachments: *attachments, reserve })
    }

    pub(super) fn read_form<S: Source<'a>>(source: &mut S, form: AlarmForm) -> Result<Self, WireError> {
        let (terminal, reserve, _) = form.widths();
        source.group(&bytes("alarm_id", "报警标识号", "alarm id"), |source| {
            Ok(Self {
                form,
                terminal: source.take(terminal, &text("terminal_id", "终端 ID", "terminal id"))?,
                time_bcd: source.array(&time("alarm_time", "报警时间", "time of the alarm"))?,
                number: source.u8(&field("number", "序号", "number"))?,
                attachments: source.u8(&field("attachments", "附件数量", "attachments"))?,
                reserve: source.take(reserve, &super::field::RESERVED)?,
            })
        })
    }

    pub(super) fn write_form(&self, out: &mut Vec<u8>) {
        let (terminal, reserve, _) = self.form.widths();
        padded(out, self.terminal, terminal);
        out.extend(self.time_bcd);
        out.extend([self.number, self.attachments]);
        padded(out, self.reserve, reserve);
    }
}

const ALARM_NUMBER: Field = text("alarm_number", "报警编号", "number of the alarm");
const FILE_NAME: Field = text("file_name", "文件名称", "file name");
const FILE_SIZE: Field = field("file_size", "文件大小", "file size").unit("B");
const FILE_KIND: Field = names(
    "file_kind",
    "文件类型",
    "kind of file",
    &[(0, "图片", "picture"), (1, "音频", "audio"), (2, "视频", "video"), (3, "文本", "text"), (4, "其他", "other")],
);

/// 0x9208: where to send an alarm's attachments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentsWanted<'a> {
    pub host: &'a [u8],
    pub tcp_port: u16,
    pub udp_port: u16,
    pub alarm: AlarmId<'a>,
    /// 32 bytes, the platform's.
    pub alarm_number: &'a [u8],
    pub reserve: &'a [u8],
}

impl<'a> AttachmentsWanted<'a> {
    fn read_form<S: Source<'a>>(source: &mut S, form: AlarmForm) -> Result<Self, WireError> {
        Ok(Self {
            host: Len::<B>::read(source, &text("host", "附件服务器 IP 地址", "attachment server"))?,
            tcp_port: source.u16(&field("tcp_port", "TCP 端口", "TCP port"))?,
            udp_port: source.u16(&field("udp_port", "UDP 端口", "UDP port"))?,
            alarm: AlarmId::read_form(source, form)?,
            alarm_number: source.take(32, &ALARM_NUMBER)?,
            reserve: source.take(16, &super::field::RESERVED)?,
        })
    }
}

impl<'a> Body<'a> for AttachmentsWanted<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let yue = source.fits(|probe| Self::read_form(probe, AlarmForm::YueBiao));
        Self::read_form(source, if yue { AlarmForm::YueBiao } else { AlarmForm::SuBiao })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        <Len<B> as Codec<'_, &[u8]>>::write(&self.host, out, version);
        out.extend(self.tcp_port.to_be_bytes());
        out.extend(self.udp_port.to_be_bytes());
        self.alarm.write_form(out);
        padded(out, self.alarm_number, 32);
        padded(out, self.reserve, 16);
    }
}

/// 0x1210: what will come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachments<'a> {
    pub terminal: &'a [u8],
    pub alarm: AlarmId<'a>,
    pub alarm_number: &'a [u8],
    /// 0 the first time, 1 again.
    pub kind: u8,
    pub files: Vec<AttachmentFile<'a>>,
}

layout! {
    /// A file's name and size.
    pub struct AttachmentFile<'a> {
        name: &'a [u8] => Len<B>, FILE_NAME;
        size_bytes: u32 => Num, FILE_SIZE;
    }
}

impl<'a> Attachments<'a> {
    fn read_form<S: Source<'a>>(source: &mut S, form: AlarmForm) -> Result<Self, WireError> {
        Ok(Self {
            terminal: source.take(form.widths().0, &text("terminal_id", "终端 ID", "terminal id"))?,
            alarm: AlarmId::read_form(source, form)?,
            alarm_number: source.take(32, &ALARM_NUMBER)?,
            kind: source.u8(&names(
                "kind",
                "信息类型",
                "kind",
                &[(0, "正常报警文件信息", "first"), (1, "补传报警文件信息", "again")],
            ))?,
            files: List::<B, Nested>::read(source, &field("files", "附件信息列表", "files"))?,
        })
    }
}

impl<'a> Body<'a> for Attachments<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let yue = source.fits(|probe| Self::read_form(probe, AlarmForm::YueBiao));
        Self::read_form(source, if yue { AlarmForm::YueBiao } else { AlarmForm::SuBiao })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        padded(out, self.terminal, self.alarm.form.widths().0);
        self.alarm.write_form(out);
        padded(out, self.alarm_number, 32);
        out.push(self.kind);
        <List<B, Nested> as Codec<'_, Vec<AttachmentFile<'_>>>>::write(&self.files, out, version);
    }
}

layout! {
    /// 0x1211 before a file's bytes, 0x1212 after them.
    pub struct FileInfo<'a> {
        name: &'a [u8] => Len<B>, FILE_NAME;
        kind: u8 => Num, FILE_KIND;
        size_bytes: u32 => Num, FILE_SIZE;
    }
}

layout! {
    /// A part of a file.
    pub struct FilePart {
        offset: u32 => Num, field("offset", "数据偏移量", "offset").unit("B");
        length: u32 => Num, field("length", "数据长度", "length").unit("B");
    }
}

layout! {
    /// 0x9212: 0 all there, 1 these parts again.
    pub struct FileAnswer<'a> {
        name: &'a [u8] => Len<B>, FILE_NAME;
        kind: u8 => Num, FILE_KIND;
        result: u8 => Num, names("result", "上传结果", "result", &[(0, "完成", "complete"), (1, "需要补传", "parts missing")]);
        missing: Vec<FilePart> => List<B, Nested>, field("missing", "补传数据包列表", "missing parts");
    }
}
