// `/sql`: an editor, the fifteen questions, rows as table or picture, CSV and JSON to take along.

import { lazy, Suspense, useEffect, useState } from "react";
import type { SqlAnswer } from "../api/sql";
import { canDraw, SqlChart } from "../components/SqlChart";
import { Failure, Skeleton } from "../components/States";
import { csv } from "../format/csv";
import { duration } from "../format/duration";
import { count } from "../format/number";
import { QUESTIONS } from "../format/questions";
import { cut, visible } from "../format/text";
import { useAttributes } from "../hooks/data";
import { useShortcuts } from "../hooks/keys";
import { change, href, useParam } from "../hooks/location";
import { useRange } from "../hooks/range";
import { type Run, useSql } from "../hooks/sql";

const SqlEditor = lazy(() => import("../components/SqlEditor"));
const ROWS_SHOWN = 1000;
const CELL_CHARS = 300;

const nonce = document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? "";

export default function SqlPage() {
  const query = useParam("query");
  const [text, setText] = useState(query || QUESTIONS[0]!.sql);
  const shown = useParam("view") || "table";
  const { run, start, cancel } = useSql();
  const keys = useAttributes("", useRange());
  // The address says what is asked: a link asks it, and Back asks what was asked before.
  useEffect(() => {
    if (query === "") return;
    setText(query);
    void start(query);
  }, [query, start]);
  const ask = (sql: string) => {
    const trimmed = sql.trim();
    if (trimmed === "") return;
    if (trimmed === query) void start(trimmed);
    else change({ query: trimmed });
  };
  useShortcuts([
    { keys: "ctrl+Enter", about: "Run the query", run: () => ask(text), always: true },
    { keys: "Escape", about: "Stop the query", run: cancel },
  ]);
  return (
    <div className="sql fill">
      <nav className="sql-side" aria-label="Questions">
        <h1 className="hidden-text">SQL</h1>
        <h2 className="small" style={{ padding: "0 12px" }}>
          Questions
        </h2>
        {QUESTIONS.map(({ title, sql }) => (
          <button key={title} type="button" onClick={() => ask(sql)} title={sql}>
            {title}
          </button>
        ))}
        <h2 className="small" style={{ padding: "12px 12px 0" }}>
          Tables
        </h2>
        <p className="dim" style={{ padding: "0 12px" }}>
          <code>spans</code>, <code>logs</code>; an attribute is <code>attributes['http.route']</code>, of the resource{" "}
          <code>resource['host.name']</code>
        </p>
      </nav>
      <div className="sql-main">
        <Suspense fallback={<div className="editor" style={{ height: 160 }} />}>
          <SqlEditor
            value={text}
            change={setText}
            run={() => ask(text)}
            keys={(keys.data ?? []).filter(({ field }) => !field).map(({ key }) => key)}
            nonce={nonce}
          />
        </Suspense>
        <div className="trace-tools">
          {run?.running ? (
            <button type="button" className="button" onClick={cancel}>
              Stop <kbd>Esc</kbd>
            </button>
          ) : (
            <button type="button" className="button primary" onClick={() => ask(text)}>
              Run <kbd>Ctrl ↵</kbd>
            </button>
          )}
          <Told run={run} />
          <span className="grow" />
          {run?.answer && <Take answer={run.answer} />}
          {run?.answer && canDraw(run.answer) && (
            <div className="group" role="group" aria-label="View">
              {(["table", "chart"] as const).map((key) => (
                <button
                  key={key}
                  type="button"
                  className={`button ${shown === key ? "on" : ""}`}
                  aria-pressed={shown === key}
                  onClick={() => change({ view: key === "table" ? null : key })}
                >
                  {key === "table" ? "Table" : "Chart"}
                </button>
              ))}
            </div>
          )}
        </div>
        <section className={`result ${run?.running ? "stale" : ""}`} aria-label="Rows" tabIndex={0}>
          {run?.error ? (
            <Failure error={run.error} />
          ) : run?.answer ? (
            <>
              {run.answer.error && (
                <p className="note" role="alert">
                  <b>Cut short</b> {run.answer.error.message}
                </p>
              )}
              {shown === "chart" && canDraw(run.answer) ? (
                <SqlChart answer={run.answer} />
              ) : (
                <Rows answer={run.answer} />
              )}
            </>
          ) : (
            run?.running && <Skeleton rows={10} />
          )}
        </section>
      </div>
    </div>
  );
}

function Told({ run }: { run: Run | null }) {
  if (!run || run.running) return run ? <span className="dim">running …</span> : null;
  if (!run.answer) return null;
  return (
    <span className="dim" role="status">
      {count(run.answer.rows.length)} {run.answer.rows.length === 1 ? "row" : "rows"} in {duration(run.ms * 1e6)}
    </span>
  );
}

function Rows({ answer: { columns, rows } }: { answer: SqlAnswer }) {
  if (rows.length === 0) return <p className="state dim">No rows.</p>;
  const isNumber = (type: string) => /^(u?int|float|decimal)/.test(type);
  return (
    <>
      <table className="table" aria-label="Result">
        <thead>
          <tr>
            {columns.map(({ name, type }) => (
              <th key={name} className={isNumber(type) ? "right" : undefined} title={type}>
                {visible(name)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, ROWS_SHOWN).map((row, index) => (
            <tr key={index}>
              {columns.map(({ name, type }) => (
                <td key={name} className={isNumber(type) ? "right" : undefined}>
                  <Cell name={name} value={row[name]} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > ROWS_SHOWN && (
        <p className="state dim">The first {count(ROWS_SHOWN)} are shown; CSV and JSON have all.</p>
      )}
    </>
  );
}

function Cell({ name, value }: { name: string; value: unknown }) {
  if (value === null || value === undefined) return <span className="dim">null</span>;
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  if (name === "trace_id" && /^[0-9a-f]{32}$/.test(text)) {
    return (
      <a className="link" href={href(`/trace/${text}`, { from: null, to: null })}>
        {text}
      </a>
    );
  }
  return <span title={text.length > 60 ? cut(text, 2000) : undefined}>{visible(cut(text, CELL_CHARS))}</span>;
}

function Take({ answer }: { answer: SqlAnswer }) {
  const save = (kind: "csv" | "json") => {
    const text =
      kind === "csv"
        ? csv(
            answer.columns.map(({ name }) => name),
            answer.rows,
          )
        : JSON.stringify(answer.rows, null, 1);
    const url = URL.createObjectURL(new Blob([text], { type: kind === "csv" ? "text/csv" : "application/json" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `weir.${kind}`;
    link.click();
    URL.revokeObjectURL(url);
  };
  return (
    <div className="group">
      <button type="button" className="button" onClick={() => save("csv")}>
        CSV
      </button>
      <button type="button" className="button" onClick={() => save("json")}>
        JSON
      </button>
    </div>
  );
}
