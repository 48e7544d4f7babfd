//! Writes series back to a running weir, by Prometheus' remote write.

use anyhow::{Context, bail};
use weir_query::alerting::replay::Series;

use super::server::Server;

/// Samples of one request.
const SAMPLES_MAX: usize = 20_000;

/// Sends all samples; how many there were.
pub(super) fn series(server: &Server, all: &[Series]) -> anyhow::Result<usize> {
    let mut request = Vec::new();
    let (mut waiting, mut written) = (0, 0);
    for series in all {
        for points in series.points.chunks(SAMPLES_MAX) {
            if waiting + points.len() > SAMPLES_MAX {
                send(server, &std::mem::take(&mut request))?;
                waiting = 0;
            }
            field(1, &one(series, points), &mut request);
            waiting += points.len();
            written += points.len();
        }
    }
    if waiting > 0 {
        send(server, &request)?;
    }
    Ok(written)
}

fn send(server: &Server, request: &[u8]) -> anyhow::Result<()> {
    let body = snap::raw::Encoder::new().compress_vec(request).context("cannot compress")?;
    let headers = [
        ("content-type", "application/x-protobuf"),
        ("content-encoding", "snappy"),
        ("x-prometheus-remote-write-version", "0.1.0"),
    ];
    let answered = server.post("/prometheus/api/v1/write", &headers, body)?;
    if !(200..300).contains(&answered.status) {
        let said = String::from_utf8_lossy(&answered.body);
        bail!("the samples are refused ({}): {}", answered.status, said.trim());
    }
    Ok(())
}

/// A `TimeSeries`: labels (1) with name (1) and value (2), samples (2) with value (1) and time (2).
fn one(series: &Series, points: &[(i64, f64)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in series.labels.iter() {
        let mut label = Vec::new();
        field(1, name.as_bytes(), &mut label);
        field(2, value.as_bytes(), &mut label);
        field(1, &label, &mut out);
    }
    for (time_ms, value) in points {
        let mut sample = vec![(1 << 3) | 1];
        sample.extend_from_slice(&value.to_le_bytes());
        sample.push(2 << 3);
        varint(*time_ms as u64, &mut sample);
        field(2, &sample, &mut out);
    }
    out
}

/// A field with a length.
fn field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push((number << 3) | 2);
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
