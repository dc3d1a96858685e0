//! E-mail: a plain text over SMTP, with TLS from the first byte, with STARTTLS that must succeed, or without for a relay beside us.

use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use model::notice::{Email, Failure, Message, Security, cut};
use std::time::Duration;

pub(crate) async fn send(
    email: &Email,
    password: &str,
    message: &Message,
    (authority, timeout): (Option<&Certificate>, Duration),
) -> Result<(), Failure> {
    let mail = compose(email, message).map_err(|error| lasting(&error.to_string()))?;
    let parameters = || {
        let mut builder = TlsParameters::builder(email.host.clone());
        if let Some(authority) = authority {
            builder = builder.add_root_certificate(authority.clone());
        }
        builder.build().map_err(|error| lasting(&error.to_string()))
    };
    let tls = match email.security {
        Security::None => Tls::None,
        Security::Starttls => Tls::Required(parameters()?),
        Security::Tls => Tls::Wrapper(parameters()?),
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(email.host.clone())
        .port(email.port)
        .tls(tls)
        .timeout(Some(timeout));
    if !email.user.is_empty() {
        transport = transport.credentials(Credentials::new(email.user.clone(), password.to_owned()));
    }
    match transport.build().send(mail).await {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure {
            reason: cut(&error.to_string(), REASON_BYTES),
            // A wrong password is mended by a person: it is worth another try until the deadline.
            lasting: error.is_permanent() && !is_refused_login(&error.to_string()),
            maybe: error.is_timeout() || error.is_response(),
            wait_ms: None,
        }),
    }
}

fn is_refused_login(text: &str) -> bool {
    text.contains("535") || text.contains("530")
}

fn lasting(reason: &str) -> Failure {
    Failure { reason: cut(reason, REASON_BYTES), lasting: true, maybe: false, wait_ms: None }
}

fn compose(email: &Email, message: &Message) -> Result<lettre::Message, Box<dyn std::error::Error + Send + Sync>> {
    let from: Address = email.from.parse()?;
    let mut mail = lettre::Message::builder()
        .message_id(Some(format!("<{}@{}>", message.key, from.domain())))
        .from(Mailbox::new(Some("蓝天".to_owned()), from))
        .subject(message.title.clone())
        .header(ContentType::TEXT_PLAIN);
    for to in &email.to {
        mail = mail.to(Mailbox::new(None, to.parse()?));
    }
    Ok(mail.body(message.lines.join("\r\n"))?)
}

const REASON_BYTES: usize = 300;
