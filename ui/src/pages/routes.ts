// The pages: a row each. The built page answers exactly these paths (build/finish.mjs reads them here).

import { type ComponentType, type LazyExoticComponent, lazy } from "react";
import { ServicesPage } from "./ServicesPage";

/** The path's parts in braces, by name. */
export type PageProps = { params: Record<string, string> };

export interface Route {
  path: string;
  page: ComponentType<PageProps> | LazyExoticComponent<ComponentType<PageProps>>;
  /** What the menu calls it; without one it is reached from others. */
  menu?: string;
  /** The second key after `g`. */
  key?: string;
  /** Of the browser's tab. */
  title: (params: Record<string, string>) => string;
}

type Load = () => Promise<{ default: ComponentType<PageProps> }>;
const loads: Load[] = [];

/** A page that is not in the first load. */
function later(load: Load) {
  loads.push(load);
  return lazy(load);
}

export const ROUTES: readonly Route[] = [
  {
    path: "/",
    page: ServicesPage,
    menu: "Services",
    key: "h",
    title: () => "Services",
  },
  {
    path: "/service/{name}",
    page: later(() => import("./ServicePage")),
    title: ({ name }) => name ?? "Service",
  },
  {
    path: "/traces",
    page: later(() => import("./TracesPage")),
    menu: "Traces",
    key: "t",
    title: () => "Traces",
  },
  {
    path: "/trace/{id}",
    page: later(() => import("./TracePage")),
    title: ({ id }) => `Trace ${(id ?? "").slice(0, 8)}`,
  },
  {
    path: "/compare",
    page: later(() => import("./ComparePage")),
    title: () => "Compare",
  },
  {
    path: "/sql",
    page: later(() => import("./SqlPage")),
    menu: "SQL",
    key: "q",
    title: () => "SQL",
  },
  {
    path: "/status",
    page: later(() => import("./StatusPage")),
    menu: "Status",
    key: "s",
    title: () => "Status",
  },
];

/** Fetches the other pages while nothing else is to be done, so that going there waits for data only. */
export function fetchPages() {
  const next = (index: number) => {
    const load = loads[index];
    if (load)
      void load().then(
        () => next(index + 1),
        () => undefined,
      );
  };
  next(0);
}
