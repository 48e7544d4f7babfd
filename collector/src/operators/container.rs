//! `container`: lines of Docker's json-file and of CRI (containerd, cri-o), their parts joined, the pod found in the path.

use std::{borrow::Cow, collections::HashSet};

use super::{
    Entry, Fields, Next, Operator, OperatorConfig, Origin, Value,
    config::ContainerFormat,
    json,
    parser::Parsing,
    recombine::Joins,
    time::{rfc3339, unix_ns},
};

pub(super) const KEYS: &[&str] = &["format", "add_metadata_from_filepath", "max_log_size"];

/// Docker cuts lines at this many bytes.
const DOCKER_PART_BYTES: usize = 16 << 10;

/// Files of which it is remembered that their lines have ends.
const WITH_ENDS_MAX: usize = 10_000;

/// The longest joined line, unless the configuration says otherwise.
const LINE_BYTES_MAX: u64 = 1 << 20;

struct Container {
    parsing: Parsing,
    format: Option<ContainerFormat>,
    adds_metadata: bool,
    joins: Joins,
    /// Docker's files whose lines were seen to end with `\n`.
    with_ends: HashSet<String>,
    /// What the last path says of its pod.
    pod: Option<(String, Option<Pod>)>,
}

/// A line as its runtime wrote it.
struct Line<'a> {
    time_ns: i128,
    stream: Cow<'a, str>,
    /// CRI's: `F`, `P`.
    tag: Option<&'a str>,
    text: Cow<'a, str>,
    is_part: bool,
    /// What else Docker says.
    others: Fields<'a>,
}

/// What a path under `/var/log/pods` says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pod {
    namespace: String,
    name: String,
    uid: String,
    container: String,
    restarts: String,
}

pub(super) fn build(config: &OperatorConfig) -> Result<Box<dyn Operator>, String> {
    let settings = &config.settings;
    let mut joins = Joins::new(super::Field::BODY, "");
    joins.entries_max = usize::MAX;
    joins.unmatched_max = 0;
    joins.bytes_max = match settings.max_log_size {
        Some(0) => u64::MAX,
        bytes => bytes.unwrap_or(LINE_BYTES_MAX),
    };
    Ok(Box::new(Container {
        parsing: Parsing::new(config)?,
        format: settings.format,
        adds_metadata: settings.add_metadata_from_filepath.unwrap_or(true),
        joins,
        with_ends: HashSet::new(),
        pod: None,
    }))
}

impl Operator for Container {
    fn apply<'a>(&mut self, entry: &mut Entry<'a>, released: &mut Vec<Entry<'static>>) -> Result<Next, String> {
        let line = match self.parsing.from().get(entry) {
            Some(Value::Text(Cow::Borrowed(text))) => read(text, self.format)?,
            Some(Value::Text(Cow::Owned(text))) => owned(read(text, self.format)?),
            _ => return Err(format!("{} is no text", self.parsing.from())),
        };
        let Line { time_ns, stream, tag, text, is_part, others } = line;
        let source = (is_part || !self.joins.is_empty()).then(|| format!("{stream}\n{}", entry.path));
        entry.time_ns = unix_ns(time_ns);
        let mut found = others;
        found.set("log.iostream", Value::Text(stream));
        if let Some(tag) = tag {
            found.set("logtag", Value::text(tag.to_owned()));
        }
        let is_whole_perhaps = tag.is_none() && text.len() < DOCKER_PART_BYTES;
        entry.body = Value::Text(text);
        self.parsing.place(entry, found)?;
        if self.adds_metadata {
            self.add_metadata(entry);
        }
        if let Some(source) = source.filter(|source| is_part || self.joins.has(source)) {
            let whole = std::mem::take(entry).into_owned();
            let before = released.len();
            if tag.is_none() && !is_part {
                self.note_end(&whole.path);
            }
            if is_part && is_whole_perhaps && self.has_no_ends(&whole, &source) {
                self.joins.release(&source, released);
            }
            self.joins.add(&source, whole, true, released);
            if !is_part {
                self.joins.release(&source, released);
            }
            for joined in &mut released[before..] {
                // What cannot be found in one line says nothing against the others.
                let _ = self.parsing.look(joined);
            }
            return Ok(Next::Held);
        }
        if is_whole_perhaps {
            self.note_end(&entry.path);
        }
        self.parsing.look(entry)?;
        Ok(Next::On)
    }

    fn overdue(&mut self, now_ns: u64, released: &mut Vec<Entry<'static>>) {
        self.joins.overdue(now_ns, released);
    }

    fn held(&self, visit: &mut dyn FnMut(Origin)) {
        self.joins.held(visit);
    }

    fn is_joining(&self) -> bool {
        true
    }
}

impl Container {
    fn note_end(&mut self, path: &str) {
        if !self.with_ends.contains(path) {
            if self.with_ends.len() >= WITH_ENDS_MAX {
                self.with_ends.clear();
            }
            self.with_ends.insert(path.to_owned());
        }
    }

    /// Whether what waits seems to be a line of its own: Docker gives all parts of a line one time, and in this file no line ever had
    /// an end.
    fn has_no_ends(&self, entry: &Entry<'_>, source: &str) -> bool {
        !self.with_ends.contains(&*entry.path) && self.joins.time_ns(source).is_some_and(|time| time != entry.time_ns)
    }

    fn add_metadata(&mut self, entry: &mut Entry<'_>) {
        let is_known = self.pod.as_ref().is_some_and(|(path, _)| *path == entry.path);
        if !is_known {
            self.pod = Some((entry.path.clone().into_owned(), pod_of(&entry.path)));
        }
        let Some((_, Some(pod))) = &self.pod else { return };
        for (name, value) in [
            ("k8s.namespace.name", &pod.namespace),
            ("k8s.pod.name", &pod.name),
            ("k8s.pod.uid", &pod.uid),
            ("k8s.container.name", &pod.container),
            ("k8s.container.restart_count", &pod.restarts),
        ] {
            entry.resource.set(name, Value::text(value.clone()));
        }
    }
}

fn read(text: &str, format: Option<ContainerFormat>) -> Result<Line<'_>, String> {
    let is_docker = match format {
        Some(ContainerFormat::Docker) => true,
        Some(_) => false,
        None => text.starts_with('{'),
    };
    if is_docker { docker(text) } else { cri(text) }
}

/// `{"log":"text\n","stream":"stdout","time":"…"}`. A line that was cut has no `\n` at its end.
fn docker(text: &str) -> Result<Line<'_>, String> {
    let mut others = json::parse_object(text)?;
    let mut text_of = |name: &str| match others.remove(name) {
        Some(Value::Text(text)) => Ok(text),
        _ => Err(format!("not a line of Docker's json-file: there is no `{name}`")),
    };
    let (text, stream, time) = (text_of("log")?, text_of("stream")?, text_of("time")?);
    let time_ns = rfc3339(&time).ok_or("not a line of Docker's json-file: its time is none")?;
    let (text, is_part) = match text {
        Cow::Borrowed(text) => (Cow::Borrowed(text), true),
        Cow::Owned(mut text) => {
            let is_part = !text.ends_with('\n');
            if !is_part {
                text.pop();
                if text.ends_with('\r') {
                    text.pop();
                }
            }
            (Cow::Owned(text), is_part)
        }
    };
    Ok(Line { time_ns, stream, tag: None, text, is_part, others })
}

/// `2024-04-13T07:59:37.505201169-05:00 stdout F text`.
fn cri(text: &str) -> Result<Line<'_>, String> {
    let wrong = |what: &str| format!("not a line of a container: {what}");
    let mut words = text.splitn(4, ' ');
    let time_ns = words.next().and_then(rfc3339).ok_or_else(|| wrong("it does not begin with a time"))?;
    let stream = words.next().filter(|stream| matches!(*stream, "stdout" | "stderr"));
    let stream = stream.ok_or_else(|| wrong("it names neither stdout nor stderr"))?;
    let tag = words.next().ok_or_else(|| wrong("it has no tag"))?;
    let text = words.next().unwrap_or_default();
    let is_part = tag.split(':').next() == Some("P");
    Ok(Line { time_ns, stream: stream.into(), tag: Some(tag), text: text.into(), is_part, others: Fields::default() })
}

/// The same of a text that will not stay.
fn owned<'a>(line: Line<'_>) -> Line<'a> {
    let text = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    // Tags are a letter, and hardly ever more.
    let tag = line.tag.map(|tag| if tag.split(':').next() == Some("P") { "P" } else { "F" });
    Line {
        time_ns: line.time_ns,
        stream: text(line.stream),
        tag,
        text: text(line.text),
        is_part: line.is_part,
        others: line.others.into_owned(),
    }
}

/// `…/NAMESPACE_POD_UID/CONTAINER/RESTARTS.log`, also rotated: `0.log.20240101-000000.gz`.
fn pod_of(path: &str) -> Option<Pod> {
    let mut parts = path.rsplit('/');
    let (file, container, pod) = (parts.next()?, parts.next()?, parts.next()?);
    let (restarts, rest) = file.split_once('.')?;
    let is_log = rest == "log" || rest.starts_with("log.");
    if !is_log || restarts.is_empty() || !restarts.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut names = pod.split('_');
    let (namespace, name, uid) = (names.next()?, names.next()?, names.next()?);
    let is_uid = !uid.is_empty() && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if names.next().is_some() || !is_uid || namespace.is_empty() || name.is_empty() || container.is_empty() {
        return None;
    }
    let owned = str::to_owned;
    Some(Pod {
        namespace: owned(namespace),
        name: owned(name),
        uid: owned(uid),
        container: owned(container),
        restarts: owned(restarts),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_in_paths() {
        let pod =
            pod_of("/var/log/pods/some-ns_kube-controller-kind_49cc7c1f-d370/kube-controller/1.log").expect("a pod");
        let words = [&pod.namespace, &pod.name, &pod.uid, &pod.container, &pod.restarts];
        assert_eq!(words, ["some-ns", "kube-controller-kind", "49cc7c1f-d370", "kube-controller", "1"]);
        assert_eq!(pod_of("/pods/a_b_c/d/0.log.20240101-000000.gz").map(|pod| pod.container), Some("d".into()));
        for path in ["/var/log/app.log", "/pods/a_b/d/0.log", "/pods/a_b_c_d/e/0.log", "/pods/a_b_c/d/x.log"] {
            assert_eq!(pod_of(path), None, "{path}");
        }
    }
}
