//! Frames explained: one that a person pastes, and one of a device as the journal keeps it.

use crate::dto::explain::{
    BothLabels, ExplainFrame, ExplainQuery, ExplainedFrame, FrameDirection, FrameField, FrameTrouble,
};
use crate::extract::{Caller, Id, Json, Search};
use crate::handlers::devices::seen;
use crate::handlers::frames::read;
use crate::problem::{ApiError, ApiResult};
use crate::state::AppState;
use crate::view::cover;
use axum::extract::State;
use model::envelope::{Channel, Position};
use protocol::explain::{Direction, Explained, Label, Trouble, explain, pasted};
use protocol::{hj212, jt808, modbus, mqtt};

/// What a person pastes. The answer holds what was sent, its password too: it is theirs.
pub(crate) async fn paste(_: Caller, Json(frame): Json<ExplainFrame>) -> ApiResult<Json<ExplainedFrame>> {
    let explained = pasted(&frame.text).and_then(|bytes| explain(&bytes));
    match explained {
        Ok(explained) => Ok(Json(answer(explained))),
        Err(error) => Err(ApiError::field("text", error.to_string())),
    }
}

/// A frame of a device by its place in the journal. Its password is covered, as everywhere on the page.
pub(crate) async fn kept(
    State(state): State<AppState>,
    caller: Caller,
    Id(id): Id,
    Search(query): Search<ExplainQuery>,
) -> ApiResult<Json<ExplainedFrame>> {
    let device = seen(&state.facts(), &caller, id)?;
    let position = Position { partition: query.partition, seq: query.seq };
    let frame = read(&state.journal, vec![position]).await?.remove(&position);
    let Some(frame) = frame.filter(|frame| frame.device == device.id) else {
        return Err(ApiError::not_found());
    };
    let explained = match frame.channel {
        Channel::Hj212Frame => Explained { explanation: hj212::explain_kept(&frame.raw), plain: frame.raw.to_vec() },
        Channel::Jt808Frame => {
            Explained { explanation: jt808::explain_kept(&frame.raw), plain: jt808::plain(&jt808::escape(&frame.raw)) }
        }
        Channel::ModbusReading => {
            Explained { explanation: modbus::explain::explain_reading(&frame.raw), plain: frame.raw.to_vec() }
        }
        Channel::MqttSparkplug | Channel::MqttOnvif => {
            return Err(ApiError::field("seq", "frames of Sparkplug B and ONVIF are not explained byte by byte"));
        }
        // What is left carries JSON, or is shown as bytes that are none.
        _ => Explained { explanation: mqtt::packet::read_payload(&frame.raw), plain: frame.raw.to_vec() },
    };
    Ok(Json(answer(covered(explained))))
}

/// Without the password of HJ 212 and the authentication code of JT/T 808.
fn covered(mut explained: Explained) -> Explained {
    let is_808 = explained.explanation.standard.starts_with("JT/T 808");
    let text = |text: &str| String::from_utf8_lossy(&cover::covered(text.as_bytes())).into_owned();
    for trouble in &mut explained.explanation.troubles {
        trouble.detail = text(&trouble.detail);
    }
    for span in &mut explained.explanation.spans {
        for trouble in &mut span.troubles {
            trouble.detail = text(&trouble.detail);
        }
        let is_code = is_808 && span.name == "code";
        // A group shows the bytes of what is in it.
        let holds_code = is_808 && span.name == "body" && matches!(explained.plain.get(1..3), Some([1, 2] | [0x81, 0]));
        if !span.name.trim().to_ascii_uppercase().ends_with("PW") && !is_code && !holds_code {
            // A damaged frame may have it in the middle of another field.
            span.value = text(&span.value);
            continue;
        }
        "******".clone_into(&mut span.value);
        if holds_code {
            continue;
        }
        let bytes = explained.plain.get_mut(span.at..span.at.saturating_add(span.len)).unwrap_or_default();
        if is_code {
            bytes.fill(b'*');
            continue;
        }
        let value = bytes.iter().position(|byte| *byte == b'=').map_or(0, |at| at + 1);
        for byte in bytes.iter_mut().skip(value).filter(|byte| **byte != b';') {
            *byte = b'*';
        }
    }
    explained.plain = cover::covered(&explained.plain);
    explained
}

fn answer(explained: Explained) -> ExplainedFrame {
    let Explained { explanation, plain } = explained;
    let fields = explanation.spans.into_iter().map(|span| FrameField {
        at: small(span.at),
        len: small(span.len),
        depth: span.depth,
        name: span.name.into_owned(),
        label: both(span.label),
        value: span.value,
        unit: span.unit,
        clause: span.clause,
        troubles: span.troubles.into_iter().map(trouble).collect(),
    });
    ExplainedFrame {
        standard: explanation.standard,
        title: both(explanation.title),
        direction: match explanation.direction {
            Direction::Up => FrameDirection::Up,
            Direction::Down => FrameDirection::Down,
            Direction::Either => FrameDirection::Either,
        },
        answer: explanation.answer.map(both),
        fields: fields.collect(),
        troubles: explanation.troubles.into_iter().map(trouble).collect(),
        plain_hex: crate::view::refs::hex(&plain),
    }
}

fn trouble(trouble: Trouble) -> FrameTrouble {
    FrameTrouble { code: trouble.code, text: both(trouble.text), detail: trouble.detail, fatal: trouble.fatal }
}

const fn both(label: Label) -> BothLabels {
    BothLabels { zh: label.zh, en: label.en }
}

/// Frames are far below four gigabytes.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_frame_shows_no_password() {
        for raw in [
            &b"##0077QN=20210407112025762;ST=21;CN=9021;PW=s3cret;MN=DXCBZ000000005;Flag=5;CP=&&&&C901"[..],
            b"##0077QN=PW=s3cret;ST=21;CN=9021;PW =s3cret;MN=DXCBZ000000005;Flag=5;CP=&&newpw=s3cret&&C901",
            b"##0077QN=20210407112025762;ST=21;CN=9021;XPW=s3cret;PW=s3cret;MN=DXCBZ000000005;CP=&&&&C901",
        ] {
            shows_no_password(raw);
        }
    }

    fn shows_no_password(raw: &[u8]) {
        let explained = Explained { explanation: hj212::explain_kept(raw), plain: raw.to_vec() };
        let shown = answer(covered(explained));
        let text = serde_json::to_string(&shown).unwrap();
        assert!(!text.contains("s3cret"), "{text}");
        assert!(!text.contains(&crate::view::refs::hex(b"s3cret")), "{text}");
    }
}
