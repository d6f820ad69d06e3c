//! Spans as OTLP in JSON (OpenTelemetry protocol 1.x, "JSON Protobuf Encoding"): ids in hexadecimal, 64-bit numbers as text.

use serde_json::{Value as Json, json};

use crate::layer::{Span, Value};

/// The body of one request.
pub(crate) fn body(resource: &[(String, String)], spans: &[Span]) -> Json {
    let resource: Vec<_> =
        resource.iter().map(|(key, value)| attribute(key, json!({ "stringValue": value }))).collect();
    let spans: Vec<_> = spans.iter().map(span).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": resource },
        "scopeSpans": [{ "scope": { "name": "pdm" }, "spans": spans }],
    }] })
}

fn attribute(key: &str, value: Json) -> Json {
    json!({ "key": key, "value": value })
}

fn span(span: &Span) -> Json {
    let kind = match span.kind.as_deref() {
        Some("server") => 2,
        Some("client") => 3,
        _ => 1,
    };
    let attributes: Vec<_> = span
        .attributes
        .iter()
        .map(|(key, value)| {
            let value = match value {
                Value::Text(text) => json!({ "stringValue": text }),
                Value::Int(number) => json!({ "intValue": number.to_string() }),
                Value::Flag(flag) => json!({ "boolValue": flag }),
            };
            attribute(key, value)
        })
        .collect();
    let mut out = json!({
        "traceId": format!("{:032x}", span.context.trace),
        "spanId": format!("{:016x}", span.context.span),
        "name": span.name,
        "kind": kind,
        "startTimeUnixNano": span.begun.to_string(),
        "endTimeUnixNano": span.ended.to_string(),
        "attributes": attributes,
        "status": {},
    });
    if let Some(parent) = span.parent {
        out["parentSpanId"] = format!("{parent:016x}").into();
    }
    if let Some(error) = &span.error {
        out["status"] = json!({ "code": 2, "message": error });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;

    #[test]
    fn a_span_is_what_collectors_read() {
        let one = Span {
            context: Context { trace: 1, span: 2, sampled: true },
            parent: Some(3),
            name: "powerdns",
            kind: Some("client".into()),
            error: Some("timeout".into()),
            begun: 1_795_046_400_000_000_000,
            ended: 1_795_046_400_000_000_001,
            attributes: vec![
                ("call", Value::Text("patch-zone".into())),
                ("attempt", Value::Int(2)),
                ("again", Value::Flag(true)),
            ],
        };
        let body = body(&[("service.name".into(), "pdm".into())], &[one]);
        let span = &body["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], "00000000000000000000000000000001");
        assert_eq!(
            (&span["spanId"], &span["parentSpanId"]),
            (&json!("0000000000000002"), &json!("0000000000000003"))
        );
        assert_eq!((&span["kind"], &span["status"]["code"]), (&json!(3), &json!(2)));
        assert_eq!(span["startTimeUnixNano"], "1795046400000000000");
        assert_eq!(span["attributes"][1], json!({ "key": "attempt", "value": { "intValue": "2" } }));
        assert_eq!(body["resourceSpans"][0]["resource"]["attributes"][0]["key"], "service.name");
    }
}
