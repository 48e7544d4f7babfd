//! Rows for people (a table), for spreadsheets (CSV) and for programs (JSON, a row a line).

use std::io::{self, Write};

use super::answer::{Column, Row};
use crate::cli::SqlFormat;

/// Rows that a table's widths are taken from; later ones may stick out.
const MEASURED_ROWS_MAX: usize = 1000;

/// Where rows go.
pub(super) struct Printer<W> {
    format: SqlFormat,
    out: W,
    columns: Vec<Column>,
    /// Rows that wait until the widths are known; `None` afterwards.
    waiting: Option<Vec<Vec<String>>>,
    widths: Vec<usize>,
    rows: usize,
}

impl<W: Write> Printer<W> {
    pub(super) fn new(format: SqlFormat, out: W) -> Self {
        Self { format, out, columns: Vec::new(), waiting: Some(Vec::new()), widths: Vec::new(), rows: 0 }
    }

    pub(super) fn columns(&mut self, columns: &[Column]) -> io::Result<()> {
        self.columns = columns.to_vec();
        if self.format == SqlFormat::Csv {
            let names: Vec<_> = columns.iter().map(|column| quoted(&column.name)).collect();
            write!(self.out, "{}\r\n", names.join(","))?;
        }
        Ok(())
    }

    pub(super) fn row(&mut self, row: &Row) -> io::Result<()> {
        self.rows += 1;
        match self.format {
            SqlFormat::Json => writeln!(self.out, "{}", row.json),
            SqlFormat::Csv => {
                let cells: Vec<_> = row.values.iter().map(|value| quoted(&plain(value))).collect();
                write!(self.out, "{}\r\n", cells.join(","))
            }
            SqlFormat::Table => {
                let cells: Vec<String> = row.values.iter().map(|value| plain(value)).collect();
                if !self.is_plan() {
                    return self.table_cells(cells.iter().map(|cell| visible(cell)).collect());
                }
                let (step, plan) = (&cells[0], &cells[1]);
                for (position, line) in plan.lines().enumerate() {
                    let step = if position == 0 { visible(step) } else { String::new() };
                    self.table_cells(vec![step, visible(line)])?;
                }
                Ok(())
            }
        }
    }

    /// Whether these are the columns of EXPLAIN: a plan is one text of many lines.
    fn is_plan(&self) -> bool {
        self.columns.iter().map(|column| column.name.as_str()).eq(["plan_type", "plan"])
    }

    /// Prints a line of a table, or lets it wait.
    fn table_cells(&mut self, cells: Vec<String>) -> io::Result<()> {
        match &mut self.waiting {
            None => self.table_row(&cells),
            Some(waiting) => {
                waiting.push(cells);
                if waiting.len() >= MEASURED_ROWS_MAX { self.table_head() } else { Ok(()) }
            }
        }
    }

    /// Prints what still waits.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if self.format == SqlFormat::Table {
            self.table_head()?;
            writeln!(self.out, "({} row{})", self.rows, if self.rows == 1 { "" } else { "s" })?;
        }
        self.out.flush()
    }

    /// Names, a line, and the rows that waited.
    fn table_head(&mut self) -> io::Result<()> {
        let Some(waiting) = self.waiting.take() else { return Ok(()) };
        let names: Vec<_> = self.columns.iter().map(|column| visible(&column.name)).collect();
        self.widths = names.iter().map(|name| name.chars().count()).collect();
        for row in &waiting {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        self.table_row(&names)?;
        let lines: Vec<_> = self.widths.iter().map(|width| "-".repeat(*width)).collect();
        writeln!(self.out, "{}", lines.join("-+-"))?;
        for row in &waiting {
            self.table_row(row)?;
        }
        Ok(())
    }

    fn table_row(&mut self, cells: &[String]) -> io::Result<()> {
        let mut line = String::new();
        for (position, (cell, column)) in cells.iter().zip(&self.columns).enumerate() {
            let width = self.widths[position];
            if position > 0 {
                line.push_str(" | ");
            }
            if is_number(&column.kind) {
                line.push_str(&format!("{cell:>width$}"));
            } else {
                line.push_str(&format!("{cell:<width$}"));
            }
        }
        writeln!(self.out, "{}", line.trim_end())
    }
}

fn is_number(kind: &str) -> bool {
    matches!(kind, "int64" | "uint64" | "float64" | "decimal")
}

/// Text as it is, everything else as JSON; nothing for null.
fn plain(json: &str) -> String {
    match json {
        "null" => String::new(),
        text if text.starts_with('"') => serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()),
        other => other.to_owned(),
    }
}

/// RFC 4180.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// What applications send must not move a terminal's cursor.
fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { visible.extend(c.escape_default()) } else { visible.push(c) }
    }
    visible
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: SqlFormat, rows: &[&str]) -> String {
        let column = |name: &str, kind: &str| Column { name: name.into(), kind: kind.into() };
        let mut out = Vec::new();
        let mut printer = Printer::new(format, &mut out);
        printer.columns(&[column("service", "text"), column("n", "int64")]).expect("memory");
        for row in rows {
            printer.row(&Row::read(row).expect("a row")).expect("memory");
        }
        printer.finish().expect("memory");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn forms() {
        let rows = [
            r#"{"service":"cärt","n":7}"#,
            r#"{"service":"a,\"b\"\u001b[2J\n","n":1234}"#,
            r#"{"service":null,"n":null}"#,
        ];
        let table = concat!(
            "service          |    n\n",
            "-----------------+-----\n",
            "cärt             |    7\n",
            "a,\"b\"\\u{1b}[2J\\n | 1234\n",
            "                 |\n(3 rows)\n"
        );
        assert_eq!(printed(SqlFormat::Table, &rows), table);
        assert_eq!(printed(SqlFormat::Csv, &rows), "service,n\r\ncärt,7\r\n\"a,\"\"b\"\"\u{1b}[2J\n\",1234\r\n,\r\n");
        assert_eq!(printed(SqlFormat::Json, &rows), rows.map(|row| format!("{row}\n")).concat());
        assert_eq!(printed(SqlFormat::Table, &[]), "service | n\n--------+--\n(0 rows)\n");
    }

    #[test]
    fn a_plan_has_its_lines() {
        let plan = r#"{"plan_type":"logical_plan","plan":"Filter\n  Scan\u001b[2J\n"}"#;
        let other = r#"{"plan_type":"physical_plan","plan":"Exec"}"#;
        let printed = |format| {
            let mut out = Vec::new();
            let mut printer = Printer::new(format, &mut out);
            let columns = ["plan_type", "plan"].map(|name| Column { name: name.into(), kind: "text".into() });
            printer.columns(&columns).expect("memory");
            for row in [plan, other] {
                printer.row(&Row::read(row).expect("a row")).expect("memory");
            }
            printer.finish().expect("memory");
            String::from_utf8(out).expect("UTF-8")
        };
        let table = concat!(
            "plan_type     | plan\n",
            "--------------+----------------\n",
            "logical_plan  | Filter\n",
            "              |   Scan\\u{1b}[2J\n",
            "physical_plan | Exec\n(2 rows)\n"
        );
        assert_eq!(printed(SqlFormat::Table), table);
        let csv = "plan_type,plan\r\nlogical_plan,\"Filter\n  Scan\u{1b}[2J\n\"\r\nphysical_plan,Exec\r\n";
        assert_eq!(printed(SqlFormat::Csv), csv);
    }

    #[test]
    fn a_long_table_does_not_wait_for_its_end() {
        let rows: Vec<_> = (0..1500).map(|n| format!(r#"{{"service":"s","n":{n}}}"#)).collect();
        let table = printed(SqlFormat::Table, &rows.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(table.lines().count(), 1503);
        assert!(table.ends_with("s       | 1499\n(1500 rows)\n"), "{}", &table[table.len() - 60..]);
    }
}
