//! Pictures, sound and video of the terminal's own cameras (0x0800 – 0x0805, 0x8800 – 0x8805).
//!
//! 0x0801 has two bodies. 2013 and 2019: head of 8 bytes, position of 28, data at 36. 2011: the head, a total, a packet id,
//! data at 16, and every packet repeats these 16 bytes. They are told apart by the JPEG magic at 36 or 16, and without one
//! by whether a total and a packet id, or a time, make sense.

use super::bcd_time;
use super::control::ASKED;
use super::field::{Field, Name, bytes, field, names, time};
use super::header::Version;
use super::position::Position;
use super::source::{B, Body, List, More, Num, Source, W, Width, elements, layout};
use crate::error::WireError;

const MEDIA_ID: Field = field("media_id", "多媒体数据 ID", "media id");
const KIND: Field =
    names("kind", "多媒体类型", "kind", &[(0, "图像", "picture"), (1, "音频", "audio"), (2, "视频", "video")]);
const FORMATS: &[Name] = &[(0, "JPEG", ""), (1, "TIF", ""), (2, "MP3", ""), (3, "WAV", ""), (4, "WMV", "")];
const FORMAT: Field = names("format", "多媒体格式编码", "format", FORMATS);
const EVENT: Field = field("event", "事件项编码", "event");
const CHANNEL: Field = field("channel", "通道 ID", "channel");
const DATA: Field = bytes("data", "多媒体数据包", "data");

layout! {
    /// 0x0800, and the head of 0x0801.
    pub struct MediaEvent {
        id: u32 => Num, MEDIA_ID;
        /// 0 picture, 1 audio, 2 video.
        kind: u8 => Num, KIND;
        /// 0 JPEG, 1 TIF, 2 MP3, 3 WAV, 4 WMV.
        format: u8 => Num, FORMAT;
        event: u8 => Num, EVENT;
        channel: u8 => Num, CHANNEL;
    }
}

/// 0x0801
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media<'a> {
    pub head: MediaEvent,
    pub form: MediaForm<'a>,
    pub data: &'a [u8],
}

/// What lies between head and data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaForm<'a> {
    /// 2011: packets of the whole, and which this is, from 1.
    Packet { total: u32, number: u32 },
    /// 2013 and 2019; without items.
    Place(Position<'a>),
}

/// Bytes before the data in a packet of 2011.
pub(super) const HEAD_2011: usize = 16;
const HEAD_2013: usize = 36;
/// More packets than this have no picture.
const PACKETS_MAX: u32 = 65_535;

/// Total and number of the packet, when a body of 0x0801 is one of 2011.
pub fn media_packet_2011(body: &[u8]) -> Option<(u32, u32)> {
    let word = |at: usize| body.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes);
    let (total, number) = (word(8)?, word(12)?);
    let magic = |at: usize| body.get(at..at + 2) == Some(&[0xFF, 0xD8]);
    let plausible = (1..=total).contains(&number) && total <= PACKETS_MAX;
    let is_2011 = if magic(HEAD_2013) {
        false
    } else if magic(HEAD_2011) {
        plausible
    } else {
        plausible && body.get(30..HEAD_2013).and_then(bcd_time).is_none_or(|time| time.1 == 0 || time.1 > 12)
    };
    is_2011.then_some((total, number))
}

impl<'a> Body<'a> for Media<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let is_2011 = media_packet_2011(source.peek()).is_some();
        let head = MediaEvent::read(source)?;
        let form = if is_2011 {
            let total = source.u32(&field("total", "包总数", "packets"))?;
            MediaForm::Packet { total, number: source.u32(&field("number", "包 ID", "number of the packet"))? }
        } else {
            MediaForm::Place(Position::read_fixed(source)?)
        };
        Ok(Self { head, form, data: source.rest(&DATA) })
    }

    fn write(&self, out: &mut Vec<u8>, version: Version) {
        self.head.write(out, version);
        match &self.form {
            MediaForm::Packet { total, number } => {
                out.extend(total.to_be_bytes());
                out.extend(number.to_be_bytes());
            }
            MediaForm::Place(position) => position.write_fixed(out),
        }
        out.extend_from_slice(self.data);
    }
}

/// 0x8800: the answer to a whole 0x0801.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaReply {
    /// 2011 puts the serial of the question first, and ids of packets have four bytes.
    pub asked: Option<u16>,
    pub id: u32,
    /// Packets to send again; none = complete.
    pub missing: Vec<u32>,
}

impl<'a> Body<'a> for MediaReply {
    /// 2013 has 4 bytes, or 5 and two for each packet; what does not fit that is of 2011.
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let body = source.peek();
        let count = body.get(4).map(|count| usize::from(*count));
        let is_2013 = body.len() <= 5 || count.is_some_and(|count| body.len() == 5 + 2 * count);
        let is_2011 =
            !is_2013 && (body.len() == 6 || body.get(6).is_some_and(|count| body.len() == 7 + 4 * usize::from(*count)));
        let asked = if is_2011 { Some(source.u16(&ASKED)?) } else { None };
        let id = source.u32(&MEDIA_ID)?;
        if source.remaining() == 0 {
            return Ok(Self { asked, id, missing: Vec::new() });
        }
        let at = source.offset();
        let count = B::read(source, &field("count", "重传包总数", "packets wanted"))?;
        let number = field("number", "重传包 ID", "number of the packet");
        let missing = if is_2011 {
            elements::<u32, Num, S>(source, &number, count, at)
        } else {
            let words = elements::<u16, Num, S>(source, &number, count, at);
            words.into_iter().map(u32::from).collect()
        };
        Ok(Self { asked, id, missing })
    }

    fn write(&self, out: &mut Vec<u8>, _version: Version) {
        out.extend(self.asked.iter().flat_map(|serial| serial.to_be_bytes()));
        out.extend(self.id.to_be_bytes());
        if self.missing.is_empty() {
            return;
        }
        let count = B::write(self.missing.len(), out);
        for number in self.missing.iter().take(count) {
            if self.asked.is_some() {
                out.extend(number.to_be_bytes());
            } else {
                out.extend(u16::try_from(*number).unwrap_or(u16::MAX).to_be_bytes());
            }
        }
    }
}

layout! {
    /// 0x8801: take pictures.
    pub struct Shoot {
        channel: u8 => Num, CHANNEL;
        /// 0 stop, 0xFFFF video, else the number of pictures.
        command: u16 => Num, field("command", "拍摄命令", "command");
        interval_s: u16 => Num, field("interval", "拍照间隔/录像时间", "interval or duration").unit("s");
        /// 1 keep, 0 upload at once.
        save: u8 => Num, names("save", "保存标志", "save", &[(0, "实时上传", "upload"), (1, "保存", "keep")]);
        resolution: u8 => Num, field("resolution", "分辨率", "resolution");
        quality: u8 => Num, field("quality", "图像/视频质量", "quality");
        brightness: u8 => Num, field("brightness", "亮度", "brightness");
        contrast: u8 => Num, field("contrast", "对比度", "contrast");
        saturation: u8 => Num, field("saturation", "饱和度", "saturation");
        chroma: u8 => Num, field("chroma", "色度", "chroma");
    }
}

layout! {
    /// 0x0805
    pub struct ShootReply {
        serial: u16 => Num, ASKED;
        /// 0 done, 1 failed, 2 channel unsupported.
        result: u8 => Num, names("result", "结果", "result", &[(0, "成功", "done"), (1, "失败", "failed"), (2, "通道不支持", "no such channel")]);
        /// With result 0.
        ids: Option<Vec<u32>> => More<List<W, Num>>, field("media_ids", "多媒体 ID 列表", "media ids");
    }
}

layout! {
    /// 0x8802: which stored media are there.
    pub struct MediaSearch {
        kind: u8 => Num, KIND;
        channel: u8 => Num, CHANNEL;
        event: u8 => Num, EVENT;
        start_bcd: [u8; 6] => Num, time("start", "起始时间", "start");
        end_bcd: [u8; 6] => Num, time("end", "结束时间", "end");
    }
}

/// One stored medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaItem<'a> {
    pub id: u32,
    pub kind: u8,
    pub channel: u8,
    pub event: u8,
    /// Without items.
    pub place: Position<'a>,
}

impl<'a> Body<'a> for MediaItem<'a> {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, WireError> {
        let (id, kind) = (source.u32(&MEDIA_ID)?, source.u8(&KIND)?);
        let (channel, event) = (source.u8(&CHANNEL)?, source.u8(&EVENT)?);
        Ok(Self { id, kind, channel, event, place: Position::read_fixed(source)? })
    }

    fn write(&self, out: &mut Vec<u8>, _version: Version) {
        out.extend(self.id.to_be_bytes());
        out.extend([self.kind, self.channel, self.event]);
        self.place.write_fixed(out);
    }
}

layout! {
    /// 0x0802
    pub struct MediaFound<'a> {
        serial: u16 => Num, ASKED;
        items: Vec<MediaItem<'a>> => List<W, super::source::Nested>, field("media", "检索项", "media");
    }
}

layout! {
    /// 0x8803: upload what is stored.
    pub struct MediaUpload {
        kind: u8 => Num, KIND;
        channel: u8 => Num, CHANNEL;
        event: u8 => Num, EVENT;
        start_bcd: [u8; 6] => Num, time("start", "起始时间", "start");
        end_bcd: [u8; 6] => Num, time("end", "结束时间", "end");
        /// 1 deletes them.
        delete: u8 => Num, DELETE;
    }
}

layout! {
    /// 0x8804: record sound.
    pub struct Record {
        command: u8 => Num, names("command", "录音命令", "command", &[(0, "停止录音", "stop"), (1, "开始录音", "start")]);
        duration_s: u16 => Num, field("duration", "录音时间", "duration").unit("s");
        save: u8 => Num, names("save", "保存标志", "save", &[(0, "实时上传", "upload"), (1, "保存", "keep")]);
        rate: u8 => Num, field("rate", "音频采样率", "sampling rate");
    }
}

layout! {
    /// 0x8805: upload one.
    pub struct MediaUploadOne {
        id: u32 => Num, MEDIA_ID;
        delete: u8 => Num, DELETE;
    }
}

const DELETE: Field = names("delete", "删除标志", "delete", &[(0, "保留", "keep"), (1, "删除", "delete")]);
