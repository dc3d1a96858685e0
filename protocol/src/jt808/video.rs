//! What of JT/T 1078 a platform without video meets: three answers of terminals, kept and named.

use super::control::ASKED;
use super::field::{Field, field, hex, names, time};
use super::source::{D, List, Nested, Num, layout};

const CHANNEL: Field = field("channel", "逻辑通道号", "channel");

layout! {
    /// 0x1003
    pub struct AvAttributes {
        audio_codec: u8 => Num, field("audio_codec", "输入音频编码方式", "audio codec");
        audio_channels: u8 => Num, field("audio_channels", "输入音频声道数", "audio channels");
        audio_rate: u8 => Num, field("audio_rate", "输入音频采样率", "audio sampling rate");
        audio_bits: u8 => Num, field("audio_bits", "输入音频采样位数", "audio sample bits");
        audio_frame: u16 => Num, field("audio_frame", "音频帧长度", "audio frame length");
        audio_out: u8 => Num, field("audio_out", "是否支持音频输出", "audio output");
        video_codec: u8 => Num, field("video_codec", "视频编码方式", "video codec");
        audio_channels_max: u8 => Num, field("audio_channels_max", "最大音频物理通道数", "most audio channels");
        video_channels_max: u8 => Num, field("video_channels_max", "最大视频物理通道数", "most video channels");
    }
}

layout! {
    /// One recording.
    pub struct Recording {
        channel: u8 => Num, CHANNEL;
        start_bcd: [u8; 6] => Num, time("start", "开始时间", "start");
        end_bcd: [u8; 6] => Num, time("end", "结束时间", "end");
        /// Low word: alarm bits of 0x0200, high word: of item 0x14.
        alarm: [u8; 8] => Num, hex("alarm", "报警标志", "alarms");
        kind: u8 => Num, field("kind", "音视频资源类型", "kind");
        stream: u8 => Num, field("stream", "码流类型", "stream");
        storage: u8 => Num, field("storage", "存储器类型", "storage");
        size_bytes: u32 => Num, field("size", "文件大小", "size").unit("B");
    }
}

layout! {
    /// 0x1205
    pub struct Recordings {
        serial: u16 => Num, ASKED;
        list: Vec<Recording> => List<D, Nested>, field("recordings", "音视频资源列表", "recordings");
    }
}

layout! {
    /// 0x1206
    pub struct RecordingsUploaded {
        serial: u16 => Num, ASKED;
        result: u8 => Num, names("result", "结果", "result", &[(0, "成功", "done"), (1, "失败", "failed")]);
    }
}
