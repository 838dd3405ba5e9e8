use super::Mark;
use crate::ui::batch::{Batch, Column, Row, RowState, Sort, row_element_id, words};
use crate::ui::text;
use crate::web::view;
use crate::worker::schedule::TaskId;
use leptos::prelude::*;

/// The recordings and what has become of each.
#[component]
pub fn Table(
    /// What is known of them.
    batch: Batch,
    /// A row's answer is to be shown in full.
    on_open: Callback<TaskId>,
) -> impl IntoView {
    let rows = Memo::new_with_compare(
        move |_| batch.ordered(),
        // Rows never change, only their order does.
        |before, after| {
            before.map(|rows| rows.iter().map(|r| r.id).collect::<Vec<_>>())
                != after.map(|rows| rows.iter().map(|r| r.id).collect::<Vec<_>>())
        },
    );
    let heads = Column::ALL
        .into_iter()
        .map(|column| view! { <Head column sort=batch.sort /> })
        .collect_view();
    let is_current = Selector::new(move || batch.current.get());
    let go = move |event: leptos::ev::KeyboardEvent| {
        let rows = rows.get_untracked();
        let here = batch.current.get_untracked();
        let here = rows.iter().position(|row| row.id == here).unwrap_or(0);
        let last = rows.len().saturating_sub(1);
        let there = match event.key().as_str() {
            "ArrowUp" => here.saturating_sub(1),
            "ArrowDown" => (here + 1).min(last),
            "PageUp" => here.saturating_sub(PAGE_ROWS),
            "PageDown" => (here + PAGE_ROWS).min(last),
            "Home" => 0,
            "End" => last,
            _ => return,
        };
        event.prevent_default();
        if let Some(row) = rows.get(there) {
            batch.current.set(row.id);
            view::focus(&row_element_id(row.id));
        }
    };
    // The roles are said aloud because a table laid out as a grid loses its own
    // in some browsers.
    view! {
        <table class="table" role="table" aria-label=words::TABLE>
            <thead role="rowgroup" class="table__heads">
                <tr role="row" class="table__row">{heads}</tr>
            </thead>
            <tbody role="rowgroup" class="table__body" on:keydown=go>
                <For each=move || rows.get() key=|row| row.id let:row>
                    <TableRow
                        tabbable={
                            let is_current = is_current.clone();
                            Signal::derive(move || is_current.selected(&row.id))
                        }
                        on_focus=Callback::new(move |()| batch.current.set(row.id))
                        on_open
                        row
                    />
                </For>
            </tbody>
        </table>
    }
}

/// How many rows Page Up and Page Down go.
const PAGE_ROWS: usize = 10;

#[component]
fn Head(column: Column, sort: RwSignal<Option<Sort>>) -> impl IntoView {
    let direction = move || {
        sort.get()
            .filter(|sort| sort.column == column)
            .map(|sort| match sort.descending {
                true => "descending",
                false => "ascending",
            })
    };
    view! {
        <th
            role="columnheader"
            scope="col"
            class=format!("table__cell table__cell--{}", column.name())
            aria-sort=direction
        >
            <button
                type="button"
                class="table__sort"
                data-testid="batch-sort"
                data-column=column.name()
                on:click=move |_| sort.update(|sort| *sort = Sort::pressed(*sort, column))
            >
                {words::column(column)}
                <svg class="table__arrow" viewBox="0 0 10 10" aria-hidden="true" focusable="false">
                    <path d="M5 8V2m0 0L2 5m3-3 3 3" />
                </svg>
            </button>
        </th>
    }
}

#[component]
fn TableRow(
    row: Row,
    /// Whether the tab key comes here.
    tabbable: Signal<bool>,
    /// The keyboard has come here.
    on_focus: Callback<()>,
    on_open: Callback<TaskId>,
) -> impl IntoView {
    let Row { id, file, state } = row;
    let name = file.name().to_owned();
    let (start, end) = words::name_parts(&name);
    let (start, end) = (start.to_owned(), end.to_owned());
    let (title, file) = (name.clone(), name.clone());
    let state_name = Memo::new(move |_| state.with(RowState::name));
    let is_done = move || state_name.get() == "done";
    let emotion = move || {
        state.with(|state| match state {
            RowState::Done(analysis) => analysis.label.name(),
            _ => "",
        })
    };
    view! {
        <tr
            role="row"
            class="table__row"
            data-testid="batch-row"
            data-file=file
            data-state=move || state_name.get()
            data-emotion=emotion
        >
            <th role="rowheader" scope="row" class="table__cell table__cell--file">
                <button
                    type="button"
                    class="table__open"
                    data-testid="batch-open"
                    id=row_element_id(id)
                    title=title
                    aria-label=name
                    tabindex=move || if tabbable.get() { "0" } else { "-1" }
                    aria-disabled=move || (!is_done()).to_string()
                    on:focus=move |_| on_focus.run(())
                    on:click=move |_| on_open.run(id)
                >
                    <span class="table__name">{start}</span>
                    <span class="table__name-end">{end}</span>
                </button>
            </th>
            {move || match state_name.get() {
                "done" => state.with_untracked(answer_cells).into_any(),
                "failed" => state.with_untracked(fault_cell).into_any(),
                _ => view! { <td role="cell" class="table__cell table__cell--rest"></td> }.into_any(),
            }}
            <td role="cell" class="table__cell table__cell--state">
                <span class="table__state">{move || state.with(words::state)}</span>
                <Show when=move || state_name.get() == "working">
                    <span class="table__track" aria-hidden="true">
                        <span
                            class="table__fill"
                            style:width=move || {
                                state.with(|state| format!("{:.0}%", 100.0 * state.fraction()))
                            }
                        ></span>
                    </span>
                </Show>
            </td>
        </tr>
    }
}

fn answer_cells(state: &RowState) -> impl IntoView + use<> {
    let RowState::Done(analysis) = state else {
        return ().into_any();
    };
    let label = analysis.label;
    let words = match analysis.sure {
        true => text::emotion(label).to_owned(),
        false => format!(
            "{} ({})",
            text::NOT_SURE,
            text::emotion(label).to_ascii_lowercase()
        ),
    };
    view! {
        <td role="cell" class="table__cell table__cell--length">
            {text::duration(analysis.duration_s)}
        </td>
        <td role="cell" class="table__cell table__cell--emotion" data-sure=analysis.sure.to_string()>
            <Mark emotion=label />
            <span>{words}</span>
        </td>
        <td role="cell" class="table__cell table__cell--confidence">
            {text::percent(analysis.confidence)}
        </td>
    }
    .into_any()
}

fn fault_cell(state: &RowState) -> impl IntoView + use<> {
    let RowState::Failed(error) = state else {
        return ().into_any();
    };
    let advice = text::analyze_error(error);
    view! {
        <td role="cell" class="table__cell table__cell--rest table__fault" data-testid="batch-fault">
            {advice.happened} ": " {advice.next}
        </td>
    }
    .into_any()
}
