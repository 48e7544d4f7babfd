// The page at hand within the frame.

import { Component, type ReactNode, Suspense, useEffect, useMemo } from "react";
import { Frame, type MenuEntry } from "../components/Frame";
import { Failure, Skeleton } from "../components/States";
import { go, href, match, usePlace } from "../hooks/location";
import { fetchPages, ROUTES } from "./routes";

const MENU: MenuEntry[] = ROUTES.flatMap(({ path, menu, key }) => (menu ? [{ path, name: menu, key: key ?? "" }] : []));

/** The page at hand asks for its data first. */
const IDLE_MS = 1500;

export function App() {
  const { path } = usePlace();
  const found = useMemo(() => {
    for (const route of ROUTES) {
      const params = match(route.path, path);
      if (params) return { route, params };
    }
    return null;
  }, [path]);
  const title = found ? `${found.route.title(found.params)} · Weir` : "Weir";
  useEffect(() => {
    document.title = title;
  }, [title]);
  useEffect(() => {
    const timer = setTimeout(fetchPages, IDLE_MS);
    return () => clearTimeout(timer);
  }, []);
  const Page = found?.route.page;
  return (
    <Frame menu={MENU} path={path}>
      <Guard key={path}>
        <Suspense fallback={<Skeleton rows={12} />}>
          {Page && found ? (
            <Page params={found.params} />
          ) : (
            <div className="state">
              <h2>There is no such page</h2>
              <a className="link" href={href("/")}>
                Services
              </a>
            </div>
          )}
        </Suspense>
      </Guard>
    </Frame>
  );
}

/** A page that fails takes no other with it. */
class Guard extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    if (!this.state.error) return this.props.children;
    // A new build has other files: what this page would load is not there any more.
    const isOld = /dynamically imported module|Importing a module/.test(this.state.error.message);
    if (isOld)
      return (
        <Failure error={new Error("Weir has a newer page than this one.")} again={() => window.location.reload()} />
      );
    return <Failure error={this.state.error} again={() => go(href("/"))} />;
  }
}
