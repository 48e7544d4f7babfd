//! Targets scraped, bodies gathered.
