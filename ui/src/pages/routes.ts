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
    page: lazy(() => import("./ServicePage")),
    title: ({ name }) => name ?? "Service",
  },
  {
    path: "/traces",
    page: lazy(() => import("./TracesPage")),
    menu: "Traces",
    key: "t",
    title: () => "Traces",
  },
  {
    path: "/trace/{id}",
    page: lazy(() => import("./TracePage")),
    title: ({ id }) => `Trace ${(id ?? "").slice(0, 8)}`,
  },
  {
    path: "/compare",
    page: lazy(() => import("./ComparePage")),
    title: () => "Compare",
  },
  {
    path: "/sql",
    page: lazy(() => import("./SqlPage")),
    menu: "SQL",
    key: "q",
    title: () => "SQL",
  },
  {
    path: "/status",
    page: lazy(() => import("./StatusPage")),
    menu: "Status",
    key: "s",
    title: () => "Status",
  },
];
