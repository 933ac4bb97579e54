//! Rules that need the syntax tree: how long functions are, lints switched off, names of tests.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::finding::{Finding, Rule};
use crate::source::Source;

/// From the line of `fn` to the line of its closing brace.
const MAX_FUNCTION_LINES: usize = 70;

/// Everything these rules find in one file.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut visitor = Visitor {
        file: &source.path,
        findings: Vec::new(),
    };
    visitor.visit_file(&source.syntax);
    visitor.findings
}

struct Visitor<'a> {
    file: &'a str,
    findings: Vec<Finding>,
}

impl Visitor<'_> {
    fn report(&mut self, rule: Rule, at: (usize, &str), message: String) {
        let (line, subject) = at;
        let subject = subject.to_owned();
        self.findings.push(Finding {
            file: self.file.to_owned(),
            line,
            rule,
            subject,
            message,
        });
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let last = block.brace_token.span.close().end().line;
        let lines = last + 1 - first;
        let name = signature.ident.to_string();
        if lines > MAX_FUNCTION_LINES {
            let message = format!("`{name}` has {lines} lines, at most {MAX_FUNCTION_LINES}");
            self.report(Rule::FunctionLength, (first, &name), message);
        }
    }

    fn test_name(&mut self, attributes: &[syn::Attribute], signature: &syn::Signature) {
        let is_test = attributes.iter().any(|attribute| {
            attribute
                .path()
                .segments
                .last()
                .is_some_and(|last| last.ident == "test")
        });
        let name = signature.ident.to_string();
        let without_number = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let numbered = without_number != name
            && (without_number.ends_with("test") || without_number.ends_with("case"));
        if is_test && (name.starts_with("test_") || numbered) {
            let line = signature.ident.span().start().line;
            let message =
                format!("test `{name}`: its name must be a sentence that says what holds");
            self.report(Rule::TestName, (line, &name), message);
        }
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
        self.test_name(&item.attrs, &item.sig);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("allow") {
            let line = attribute.span().start().line;
            let message =
                "lints are never allowed, only expected: #[expect(lint, reason = \"..\")]";
            self.report(Rule::Allow, (line, ""), message.to_owned());
        }
        visit::visit_attribute(self, attribute);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if call
            .path
            .segments
            .last()
            .is_some_and(|last| last.ident == "dbg")
        {
            let line = call.span().start().line;
            self.report(
                Rule::Dbg,
                (line, ""),
                "debugging output left behind".to_owned(),
            );
        }
        visit::visit_macro(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(Rule, usize, String)> {
        let source = Source::parse("a.rs", text).expect("a snippet that parses");
        check(&source)
            .into_iter()
            .map(|it| (it.rule, it.line, it.subject))
            .collect()
    }

    #[test]
    fn a_function_may_have_70_lines_and_no_more() {
        let of = |lines: usize| format!("\nfn long() {{\n{}}}\n", "    one();\n".repeat(lines - 2));
        assert_eq!(found(&of(70)), []);
        assert_eq!(
            found(&of(71)),
            [(Rule::FunctionLength, 2, "long".to_owned())]
        );
    }

    #[test]
    fn methods_and_trait_defaults_are_measured_too() {
        let body = "one();\n".repeat(80);
        let method = format!("impl A {{ fn a(&self) {{\n{body}}} }}");
        let default = format!("trait A {{ fn a(&self) {{\n{body}}} }}");
        let inner = format!("mod deep {{ fn a() {{\n{body}}} }}");
        for text in [method, default, inner] {
            assert_eq!(found(&text), [(Rule::FunctionLength, 1, "a".to_owned())]);
        }
    }

    #[test]
    fn an_allowed_lint_is_found_on_an_item_and_on_a_file() {
        let item = "fn a() {}\n#[allow(dead_code)]\nfn b() {}";
        assert_eq!(found(item), [(Rule::Allow, 2, String::new())]);
        assert_eq!(
            found("#![allow(unused)]"),
            [(Rule::Allow, 1, String::new())]
        );
        assert_eq!(
            found("#[expect(dead_code, reason = \"used soon\")]\nfn a() {}"),
            []
        );
    }

    #[test]
    fn debugging_output_is_found() {
        assert_eq!(
            found("fn a() {\n    dbg!(1);\n}"),
            [(Rule::Dbg, 2, String::new())]
        );
    }

    #[test]
    fn numbered_tests_are_found() {
        for bad in ["test_put", "put_test2", "bad_case3", "test1"] {
            let text = format!("#[test]\nfn {bad}() {{}}");
            assert_eq!(found(&text), [(Rule::TestName, 2, bad.to_owned())]);
        }
        for good in ["a_put_is_read_back", "the_model_test", "tls_1_2_is_taken"] {
            assert_eq!(found(&format!("#[test]\nfn {good}() {{}}")), []);
        }
        assert_eq!(found("fn test_like_helper() {}"), []);
    }
}
