//! `tracepoints`: the trace events, with the types that their programs see.

use super::json::Json;
use super::{Sink, types};
use crate::error::Result;
use crate::surface::Surface;
use crate::surface::tracepoint::Tracepoint;

/// One line per trace event of vmlinux.
pub(super) fn events(surface: &Surface, sink: Sink<'_>) -> Result<()> {
    let mut json = Json::default();
    let is_meant = |event: &Tracepoint<'_>| event.has_event() && event.module().is_none();
    for event in surface.tracepoints().filter(is_meant) {
        let class = event.class().unwrap_or_default();
        let func_name = format!("trace_event_raw_event_{class}");
        json.clear();
        json.object(|json| {
            json.key("class_name").string(class);
            json.key("event_name").string(event.name());
            json.key("func_name").string(&func_name);
            json.key("struct_name").strings(&["trace_event_raw_", class]);
            json.key("fmt_str").optional(event.format());
            match event.prototype() {
                Some(proto) => types::func(json.key("func"), &func_name, proto)?,
                None => json.key("func").plain("null"),
            }
            match event.record() {
                Some(record) => types::composite(json.key("struct"), record),
                None => {
                    json.key("struct").plain("null");
                    Ok(())
                }
            }
        })?;
        sink(json.line())?;
    }
    Ok(())
}
