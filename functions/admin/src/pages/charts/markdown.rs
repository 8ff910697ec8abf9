//! Renders the Markdown of a chart, which is not trusted. HTML in it is text, no picture is loaded,
//! and links lead only to web pages and e-mail addresses.

use std::fmt::Write as _;

use maud::{Escaper, Markup, PreEscaped};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};

/// The most bytes of HTML. A small text can make much more, for example with wide tables.
const HTML_MAX: usize = 800_000;

/// The most parts of a text that are shown.
const EVENTS_MAX: usize = 100_000;

/// The deepest nesting that is shown. Deeper parts are shown without their frame.
const DEPTH_MAX: usize = 16;

/// The end of a link.
const END_OF_LINK: &str = "</a>";

/// The first level of a heading in the text. The page has the levels above it.
const FIRST_LEVEL: usize = 3;

/// Shows a text.
pub(super) fn show(text: &str) -> Markup {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut page = Page { level: FIRST_LEVEL - 1, ..Page::default() };
    for (count, event) in Parser::new_ext(text, options).enumerate() {
        if count >= EVENTS_MAX || page.html.len() > HTML_MAX {
            page.is_cut = true;
            break;
        }
        page.add(event);
    }
    page.finish()
}

/// The HTML so far, and the elements that are open.
#[derive(Default)]
struct Page {
    html: String,
    open: Vec<OpenElement>,
    /// How many of the open elements are links. At most one is.
    open_links: usize,
    /// The level of the last heading. The next one is at most one deeper.
    level: usize,
    is_in_table_head: bool,
    /// The lines of the block of HTML that is open.
    html_block: String,
    is_cut: bool,
}

/// An element that is open.
struct OpenElement {
    /// The element that ends it. Empty if it is shown without a frame.
    end: &'static str,
    /// An address to show behind it, because it is not a link.
    address: Option<String>,
}

impl Page {
    fn add(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(end) => self.end(end),
            Event::Text(text) | Event::FootnoteReference(text) => self.text(&text),
            Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.html.push_str("<code>");
                self.text(&text);
                self.html.push_str("</code>");
            }
            Event::Html(html) => self.html_block.push_str(&html),
            Event::InlineHtml(html) => self.inert_html(&html),
            Event::SoftBreak => self.html.push('\n'),
            Event::HardBreak => self.html.push_str("<br>"),
            Event::Rule => self.html.push_str("<hr>"),
            Event::TaskListMarker(is_done) => {
                self.html.push_str(if is_done { "☑ " } else { "☐ " });
            }
        }
    }

    fn text(&mut self, text: &str) {
        // Writing to memory cannot fail.
        let _ = Escaper::new(&mut self.html).write_str(text);
    }

    /// Shows HTML as text. A comment is not shown, and a line break is one.
    fn inert_html(&mut self, html: &str) {
        let text = html.trim();
        if text.starts_with("<!--") && text.ends_with("-->") {
            return;
        }
        if matches!(text, "<br>" | "<br/>" | "<br />") {
            self.html.push_str("<br>");
        } else {
            self.text(html);
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        let (begin, end) = match tag {
            Tag::Paragraph | Tag::HtmlBlock => ("<p>", "</p>"),
            Tag::Heading { level, .. } => self.heading(level),
            Tag::BlockQuote(_) => ("<blockquote>", "</blockquote>"),
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => {
                ("<pre>", "</pre>")
            }
            Tag::List(None) => ("<ul>", "</ul>"),
            Tag::List(Some(_)) => ("<ol>", "</ol>"),
            Tag::Item => ("<li>", "</li>"),
            Tag::Table(_) => ("<table>", "</table>"),
            Tag::TableHead => {
                self.is_in_table_head = true;
                ("<thead><tr>", "</tr></thead>")
            }
            Tag::TableRow => ("<tr>", "</tr>"),
            Tag::TableCell if self.is_in_table_head => ("<th scope=\"col\">", "</th>"),
            Tag::TableCell => ("<td>", "</td>"),
            Tag::Emphasis => ("<em>", "</em>"),
            Tag::Strong => ("<strong>", "</strong>"),
            Tag::Strikethrough => ("<s>", "</s>"),
            Tag::Link { link_type: LinkType::Email, dest_url, .. } => {
                return self.link(&format!("mailto:{dest_url}"));
            }
            Tag::Link { dest_url, .. } => return self.link(&dest_url),
            Tag::Image { dest_url, .. } => return self.unlinked("Picture: ", &dest_url),
            _ => ("", ""),
        };
        let is_too_deep = self.open.len() >= DEPTH_MAX;
        let (begin, end) = if is_too_deep { (" ", "") } else { (begin, end) };
        self.html.push_str(begin);
        self.open.push(OpenElement { end, address: None });
    }

    fn heading(&mut self, level: HeadingLevel) -> (&'static str, &'static str) {
        // A page whose headings skip a level is hard to follow with a screen reader.
        self.level = (level as usize + FIRST_LEVEL - 1).min(self.level + 1).min(6);
        match self.level {
            3 => ("<h3>", "</h3>"),
            4 => ("<h4>", "</h4>"),
            5 => ("<h5>", "</h5>"),
            _ => ("<h6>", "</h6>"),
        }
    }

    fn link(&mut self, address: &str) {
        if !is_safe_address(address) || self.open_links > 0 || self.open.len() >= DEPTH_MAX {
            return self.unlinked("", address);
        }
        self.html.push_str("<a rel=\"nofollow noopener noreferrer\" href=\"");
        self.text(address);
        self.html.push_str("\">");
        self.open.push(OpenElement { end: END_OF_LINK, address: None });
        self.open_links += 1;
    }

    fn unlinked(&mut self, before: &str, address: &str) {
        self.html.push_str("<span class=\"unlinked\">");
        self.html.push_str(before);
        self.open.push(OpenElement { end: "</span>", address: Some(address.to_owned()) });
    }

    fn end(&mut self, end: TagEnd) {
        match end {
            TagEnd::TableHead => self.is_in_table_head = false,
            TagEnd::HtmlBlock => {
                let html = std::mem::take(&mut self.html_block);
                self.inert_html(&html);
            }
            _ => {}
        }
        if let Some(open) = self.open.pop() {
            self.close(&open);
        }
    }

    fn close(&mut self, open: &OpenElement) {
        if let Some(address) = open.address.as_ref().filter(|address| !address.is_empty()) {
            self.text(&format!(" ({address})"));
        }
        if open.end == END_OF_LINK {
            self.open_links -= 1;
        }
        self.html.push_str(open.end);
    }

    fn finish(mut self) -> Markup {
        while let Some(open) = self.open.pop() {
            self.close(&open);
        }
        if self.is_cut {
            self.html.push_str("<p>… The rest is not shown. The API has it.</p>");
        }
        PreEscaped(self.html)
    }
}

/// Returns whether a browser may follow an address: it is a web page or an e-mail address, spelled
/// out. An address without a scheme would lead to a page of this site.
pub(super) fn is_safe_address(address: &str) -> bool {
    let schemes = ["https://", "http://", "mailto:"];
    let is_plain = !address.chars().any(|c| c.is_control() || c.is_whitespace());
    let begins_with = |scheme: &str| {
        address.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
    };
    is_plain && schemes.into_iter().any(begins_with)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        show(text).into_string()
    }

    #[test]
    fn usual_markdown_is_shown() {
        let html = shown(
            "# Title\n\nA *b* **c** `d` ~~e~~\n\n- one\n- [x] two\n\n1. a\n\n```yaml\nf: 1\n```\n\n\
             > quote\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n### Deep\n\n\
             [text](https://x.org/?a=1&b)",
        );
        for part in [
            "<h3>Title</h3>",
            "<em>b</em> <strong>c</strong> <code>d</code> <s>e</s>",
            "<li>☑ two</li>",
            "<ol>",
            "<pre>f: 1\n</pre>",
            "<blockquote><p>quote</p></blockquote>",
            "<th scope=\"col\">a</th>",
            "<td>2</td>",
            "<h4>Deep</h4>",
            "<a rel=\"nofollow noopener noreferrer\" href=\"https://x.org/?a=1&amp;b\">text</a>",
        ] {
            assert!(html.contains(part), "{part} is not in {html}");
        }
    }

    /// Hostile input 16.
    #[test]
    fn hostile_markdown_becomes_no_markup_and_no_script() {
        for text in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "[a](javascript:alert(1))",
            "[a](JaVaScRiPt:alert(1))",
            "[a](java\tscript:alert(1))",
            "[a](&#106;avascript:alert(1))",
            "[a](data:text/html;base64,PHNjcmlwdD4=)",
            "<javascript:alert(1)>",
            "[a](vbscript:x)",
            "[a](//host.invalid/x)",
            "[a](/admin/logout)",
            "![a](https://host.invalid/x.png)",
            "![a](data:image/svg+xml,<svg/onload=alert(1)>)",
            "![\"><script>](x)",
            "[a]: javascript:alert(1)\n\n[a]",
            "`<script>`",
            "    <script>",
            "```\"><script>\n<script>\n```",
            "# <script>",
            "| <script> |\n|---|\n| <img src=x> |",
            "[<img src=x>](https://a.org/\"onclick=alert(1))",
            "<a href=\"javascript:alert(1)\">x</a>",
            "<iframe src=//x></iframe>",
            "<!-- --><script>",
        ] {
            let html = shown(text);
            let lower = html.to_lowercase();
            for bad in
                ["<script", "<img", "<svg", "<iframe", "href=\"java", "href=\"data", "href=\"/"]
            {
                assert!(!lower.contains(bad), "{text} became {html}");
            }
            let quotes = html.matches("href=\"").count();
            assert!(!html.contains("\"onclick"), "{quotes} {text} became {html}");
        }
    }

    #[test]
    fn link_behind_a_link_is_one_and_a_link_in_a_link_is_none() {
        for (text, links) in [
            ("[a](https://a.org) [b](https://b.org)\n\n[c](https://c.org)", 3),
            ("[![a](https://a.org) <b@b.org>](https://c.org)", 1),
        ] {
            let html = shown(text);
            assert_eq!(html.matches("href=").count(), links, "{html}");
            assert_eq!(html.matches("</a>").count(), links, "{html}");
        }
    }

    #[test]
    fn picture_is_shown_as_its_text_and_address() {
        assert_eq!(
            shown("![A *logo*](https://x.org/a.png)"),
            "<p><span class=\"unlinked\">Picture: A <em>logo</em> (https://x.org/a.png)</span></p>"
        );
        assert_eq!(shown("a<!-- hidden -->b<br>c"), "<p>ab<br>c</p>");
    }

    #[test]
    fn markdown_bomb_is_cut() {
        let kib = 256 * 1024;
        let fill = |text: &str| text.repeat(kib / text.len());
        let wide = format!(
            "{}|\n{}|\n{}",
            fill("|a").split_at(80_000).0,
            "|-".repeat(40_000),
            fill("|\n")
        );
        let long = "x".repeat(60_000);
        let references = format!("[a]: https://{long}\n\n{}", "[a] ".repeat(40_000));
        let bombs = [
            fill("> "),
            fill("- "),
            fill("1. "),
            fill("*a **a "),
            fill("["),
            fill("![a]("),
            fill("`"),
            fill("<"),
            fill("&"),
            fill("[a](b)"),
            fill("|"),
            fill("~"),
            fill("\n\n    a"),
            fill("[^a]: "),
            fill("<!--"),
            fill("*a_ "),
            fill("\\"),
            fill("a**b"),
            fill("[a]: b\n"),
            format!("{}{}", ">".repeat(50_000), "[a](b)".repeat(16_000)),
            wide,
            references,
        ];
        for bomb in bombs {
            let html = shown(&bomb);
            assert!(html.len() < HTML_MAX + 5 * kib, "{} bytes from {:?}", html.len(), &bomb[..20]);
        }
    }
}
