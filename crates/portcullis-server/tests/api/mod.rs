//! The JSON API: the files mirror the URLs.

mod the_way_of_a_key;
